using System.Diagnostics;

namespace ImageBuilder.Tests.Flash;

/// <summary>Programs of the system, and the command line itself as a process of its own.</summary>
internal static class Tool
{
    /// <summary>The command line as it is run by people.</summary>
    public static string Appliance => Path.Combine(AppContext.BaseDirectory, "appliance");

    public static string Run(string program, params string[] arguments) => RunWithInput("", program, arguments);

    public static string RunWithInput(string input, string program, params string[] arguments)
    {
        var (exitCode, output) = Try(input, program, arguments);
        Assert.True(exitCode == 0, $"{program} {string.Join(' ', arguments)}: {output}");
        return output;
    }

    /// <summary>Runs a program to its end; returns its exit code and all it printed.</summary>
    public static (int ExitCode, string Output) Try(string input, string program, params string[] arguments)
    {
        using var process = Start(program, arguments);
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        return End(process);
    }

    public static Process Start(string program, params IEnumerable<string> arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;

    public static (int ExitCode, string Output) End(Process process)
    {
        var errors = Task.Run(process.StandardError.ReadToEnd);
        var output = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}
