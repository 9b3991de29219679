using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Worker;

/// <summary>A line of the worker's answer: progress lines, then one with a result or an error. Exactly one member is set.</summary>
internal sealed record WorkerReply
{
    /// <summary>How far it is.</summary>
    public WorkerProgress? Progress { get; init; }

    /// <summary>What came of it.</summary>
    public WorkerResult? Result { get; init; }

    /// <summary>Why nothing came of it.</summary>
    public WorkerError? Error { get; init; }
}

/// <summary>How far an installation is.</summary>
/// <param name="Phase">What is being done, in a word.</param>
/// <param name="Done">Bytes written.</param>
/// <param name="Total">Bytes to be written.</param>
/// <param name="Downloaded">Bytes that were fetched.</param>
/// <param name="BytesPerSecond">Rate of writing.</param>
/// <param name="SecondsLeft">How long it will take, where that can be told.</param>
internal sealed record WorkerProgress(string Phase, long Done, long Total, long Downloaded, long BytesPerSecond, double? SecondsLeft);

/// <summary>What went wrong.</summary>
/// <param name="Message">One sentence.</param>
/// <param name="Hint">What to do about it.</param>
/// <param name="Mistake">True for what a person can mend, false for a failure of ours.</param>
/// <param name="MayPass">Of a mistake: true when the same may work later (<see cref="Core.UserError.MayPass"/>).</param>
internal sealed record WorkerError(string Message, string? Hint, bool Mistake, bool MayPass = false);

/// <summary>What came of a request; members that do not belong to it are not set.</summary>
internal sealed record WorkerResult
{
    /// <summary>Both slots.</summary>
    public IReadOnlyList<SlotStatus>? Slots { get; init; }

    /// <summary>What a check found: <c>upToDate</c>, <c>available</c>, <c>waiting</c>, <c>failedBefore</c>.</summary>
    public string? Verdict { get; init; }

    /// <summary>The version that was found or installed.</summary>
    public string? Version { get; init; }

    /// <summary>The slot it is in.</summary>
    public string? Slot { get; init; }

    /// <summary>Bytes that were or would be downloaded.</summary>
    public long? DownloadBytes { get; init; }

    /// <summary>What the publisher says is new in it (<see cref="Updates.LastCheck.Kept"/>).</summary>
    public string? Notes { get; init; }

    /// <summary>The way each payload came by.</summary>
    public IReadOnlyDictionary<string, string>? Ways { get; init; }

    /// <summary>What went wrong without stopping it.</summary>
    public IReadOnlyList<string>? Warnings { get; init; }

    /// <summary>The workload it is about.</summary>
    public string? Workload { get; init; }

    /// <summary>The workloads, or the one that was asked for.</summary>
    public IReadOnlyList<WorkloadStatus>? Workloads { get; init; }

    /// <summary>How far the engine's node is.</summary>
    public Readiness? Node { get; init; }

    /// <summary>How applications of releases ended.</summary>
    public IReadOnlyList<WorkloadOutcome>? Outcomes { get; init; }

    /// <summary>Lines of a log.</summary>
    public IReadOnlyList<string>? Lines { get; init; }

    /// <summary>Credentials that need root to be changed.</summary>
    public IReadOnlyList<CredentialStatus>? Credentials { get; init; }

    /// <summary>Who holds up the restart (inhibitor locks): it was not asked for.</summary>
    public IReadOnlyList<string>? Inhibitors { get; init; }

    /// <summary>What was sealed or unsealed.</summary>
    public WorkerSecret? Secret { get; init; }
}
