namespace Appliance.Supervisor.Processes;

/// <summary>A program to run, with its arguments; no shell is involved.</summary>
internal sealed record ProcessCommand(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>The whole environment of the program, or null for our own.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>Longest time it may take; then it is ended.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Time between the request to end (SIGTERM) and the end (SIGKILL).</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Number of its last lines that are kept.</summary>
    public int TailLines { get; init; } = 20;

    /// <summary>Called with every line it prints, one at a time.</summary>
    public Action<string>? OnLine { get; init; }

    /// <summary>Characters of a line that are kept; the rest of it is dropped.</summary>
    public int LongestLine { get; init; } = 1000;
}
