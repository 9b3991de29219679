namespace Appliance.ImageBuilder.Tools;

/// <summary>A tool ended with an error. The message shows the command, its exit code and its last lines.</summary>
internal sealed class ToolFailure(string command, int exitCode, string tail)
    : Exception($"{command} ended with exit code {exitCode}:\n{tail}")
{
    /// <summary>The program that failed and its arguments, as a person would type them.</summary>
    public string Command { get; } = command;

    /// <summary>The last lines it printed.</summary>
    public string Tail { get; } = tail;
}
