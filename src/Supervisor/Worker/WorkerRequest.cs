namespace Appliance.Supervisor.Worker;

/// <summary>What the daemon asks the root worker to do: one line of JSON.</summary>
internal sealed record WorkerRequest
{
    /// <summary>What to do.</summary>
    public required WorkerVerb Verb { get; init; }

    /// <summary>Repository or bundle; <c>-</c> is a bundle that follows the request on the same connection.</summary>
    public string? Source { get; init; }

    /// <summary>Channel of the repository.</summary>
    public string? Channel { get; init; }

    /// <summary>The version in question.</summary>
    public string? Version { get; init; }

    /// <summary>Versions that were tried here and not kept: an offer of one of them is not taken without <see cref="Force"/>.</summary>
    public IReadOnlyList<string>? Failed { get; init; }

    /// <summary>Takes an older version or the same one, or restarts although something asks not to.</summary>
    public bool Force { get; init; }

    /// <summary>For a check: finds out what the download would be, too.</summary>
    public bool Plan { get; init; }

    /// <summary>The workload in question; of a bundle with one workload it need not be said.</summary>
    public string? Workload { get; init; }

    /// <summary>The container in question, or null for all.</summary>
    public string? Container { get; init; }

    /// <summary>Most lines of a log.</summary>
    public int? Lines { get; init; }

    /// <summary>The credential in question.</summary>
    public string? Credential { get; init; }

    /// <summary>For a rotation: the old credential goes at once.</summary>
    public bool Emergency { get; init; }

    /// <summary>For a rotation: the new credential, where somebody brings it, in base64. It is a secret.</summary>
    public string? Content { get; init; }

    /// <summary>The slot in question.</summary>
    public string? Slot { get; init; }

    /// <summary>Why, for hooks and the log.</summary>
    public string? Reason { get; init; }

    /// <summary>Most bytes a second.</summary>
    public long? BytesPerSecond { get; init; }

    /// <summary>What is to be sealed or unsealed.</summary>
    public WorkerSecret? Secret { get; init; }
}
