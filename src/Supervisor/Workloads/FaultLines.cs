namespace Appliance.Supervisor.Workloads;

/// <summary>Several faults in one message, each on a line of its own.</summary>
internal static class FaultLines
{
    /// <summary>The lines, to be put behind what they are the reasons of; the first few of many, and how many more there are.</summary>
    public static string Of(IReadOnlyList<string> faults, int most) =>
        string.Concat(faults.Take(most).Select(fault => $"\n  {fault}")) + (faults.Count > most ? $"\n  and {faults.Count - most} more" : "");
}
