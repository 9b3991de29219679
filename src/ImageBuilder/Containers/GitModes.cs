using Appliance.Core;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Containers;

/// <summary>Which files of a clone are executable and which are links, from git's index: a clone on Windows does not show it.</summary>
internal sealed class GitModes
{
    private readonly Dictionary<string, string> _modes;

    private GitModes(Dictionary<string, string> modes) => _modes = modes;

    /// <summary>Nothing is known: the file system says it.</summary>
    public static GitModes None { get; } = new([]);

    /// <summary>Reads the index of the clone that a folder is in; <see cref="None"/> where the file system knows better, or there is no git.</summary>
    public static async Task<GitModes> OfAsync(string folder, CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsWindows()) return None;
        try
        {
            var lines = new List<string>();
            await ToolRunner.RunAsync("git", ["-C", folder, "-c", "core.quotePath=false", "ls-files", "--stage"], onOutput: lines.Add, cancellationToken: cancellationToken);
            return Parse(lines);
        }
        catch (Exception e) when (e is ToolFailure or UserError)
        {
            return None;
        }
    }

    /// <summary>Reads lines of <c>git ls-files --stage</c>: <c>MODE HASH STAGE TAB PATH</c>.</summary>
    public static GitModes Parse(IEnumerable<string> lines)
    {
        var modes = new Dictionary<string, string>();
        foreach (var line in lines)
            if (line.Split('\t', 2) is [var facts, var path]) modes[path] = facts.Split(' ')[0];
        return new GitModes(modes);
    }

    /// <summary>True for a file that is run.</summary>
    public bool IsExecutable(string path) => _modes.GetValueOrDefault(path) == "100755";

    /// <summary>True for a symbolic link; where links cannot be made, git writes a file with the target in it.</summary>
    public bool IsLink(string path) => _modes.GetValueOrDefault(path) == "120000";
}
