namespace Appliance.Supervisor.Updates;

/// <summary>A job at one moment.</summary>
internal sealed record JobView
{
    /// <summary>Its number.</summary>
    public required int Id { get; init; }

    /// <summary><c>check</c> or <c>install</c>; of workloads <c>apply</c>, <c>roll back</c>, <c>remove</c> or <c>resume</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Where it is.</summary>
    public required JobState State { get; init; }

    /// <summary>What it is doing, in a word.</summary>
    public required string Phase { get; init; }

    /// <summary>Who asked for it.</summary>
    public required string By { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>The workload it is about, or null.</summary>
    public string? Workload { get; init; }

    /// <summary>The version it is about, once known.</summary>
    public string? Version { get; init; }

    /// <summary>Bytes written.</summary>
    public long Done { get; init; }

    /// <summary>Bytes to be written; 0 while unknown.</summary>
    public long Total { get; init; }

    /// <summary>Bytes fetched.</summary>
    public long Downloaded { get; init; }

    /// <summary>Rate of writing.</summary>
    public long BytesPerSecond { get; init; }

    /// <summary>Time left in seconds, where it can be told.</summary>
    public double? SecondsLeft { get; init; }

    /// <summary>How it ended: what came of it, or what went wrong and what to do.</summary>
    public string Message { get; init; } = "";
}

/// <summary>Where a job is.</summary>
internal enum JobState
{
    /// <summary>It runs.</summary>
    Running,

    /// <summary>It did what it was asked for.</summary>
    Done,

    /// <summary>It could not.</summary>
    Failed,

    /// <summary>Somebody stopped it.</summary>
    Cancelled,
}
