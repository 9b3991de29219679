namespace Appliance.Supervisor.Control;

/// <summary>A job as it was asked for on the command line.</summary>
internal sealed record JobOrder
{
    /// <summary>The source that means a bundle on standard input.</summary>
    public const string StandardInput = "-";

    /// <summary>Check or Install; of workloads CheckWorkload, ApplyWorkload, RollBackWorkload or RemoveWorkload; of credentials RotateCredential or SetCredential.</summary>
    public required string Method { get; init; }

    /// <summary>The credential it is about, of RotateCredential and SetCredential.</summary>
    public string? Credential { get; init; }

    /// <summary>What SetCredential brings.</summary>
    public byte[]? Content { get; init; }

    /// <summary>Lets the old credential go at once.</summary>
    public bool Emergency { get; init; }

    /// <summary>The workload it is about; null for the one that a bundle brings.</summary>
    public string? Workload { get; init; }

    /// <summary>Where from, as it was typed: an address, a path, <see cref="StandardInput"/>; null for the device's own repository.</summary>
    public string? Source { get; init; }

    /// <summary>A channel instead of the device's own.</summary>
    public string? Channel { get; init; }

    /// <summary>A version instead of the newest.</summary>
    public string? Version { get; init; }

    /// <summary>True takes a version that failed before, an older one, or the same again.</summary>
    public bool Force { get; init; }

    /// <summary>Restarts into it at once (true) or not by itself (false).</summary>
    public bool? Reboot { get; init; }

    /// <summary>True for the address of a repository or bundle.</summary>
    public bool IsAddress => Source?.Contains("://", StringComparison.Ordinal) == true;
}
