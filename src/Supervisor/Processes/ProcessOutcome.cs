namespace Appliance.Supervisor.Processes;

/// <summary>How a program ended.</summary>
/// <param name="ExitCode">Its exit code; 128 and the signal's number when a signal ended it.</param>
/// <param name="TimedOut">It was ended because its time was over.</param>
/// <param name="Tail">The last lines it printed to standard output and standard error.</param>
internal sealed record ProcessOutcome(int ExitCode, bool TimedOut, IReadOnlyList<string> Tail)
{
    /// <summary>It ended by itself, with 0.</summary>
    public bool Succeeded => ExitCode == 0 && !TimedOut;
}
