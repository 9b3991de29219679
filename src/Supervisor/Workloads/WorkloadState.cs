using System.Text.Json.Serialization;

namespace Appliance.Supervisor.Workloads;

/// <summary>What is remembered of a workload: the release that is kept, the one before, and what is under way.</summary>
internal sealed record WorkloadState
{
    /// <summary>The format that this program writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Most entries of the history.</summary>
    public const int LongestHistory = 50;

    /// <summary>Format of the file.</summary>
    public int Format { get; init; } = CurrentFormat;

    /// <summary>Version of the release that is kept, or null.</summary>
    public string? Current { get; init; }

    /// <summary>The one that was kept before it, or null.</summary>
    public string? Previous { get; init; }

    /// <summary>What of the kept release was applied, and by which engine (<see cref="WorkloadStore.MarkOf"/>): a version alone says neither.</summary>
    public string? Applied { get; init; }

    /// <summary>Whether an image brought it: then it goes with the image.</summary>
    public bool FromImage { get; init; }

    /// <summary>The version that was kept before an image brought one. It comes back when the image goes.</summary>
    public string? Before { get; init; }

    /// <summary>What is under way, or null.</summary>
    public ReleaseTrial? Trial { get; init; }

    /// <summary>How applications ended, the newest last.</summary>
    public IReadOnlyList<ReleaseEvent> History { get; init; } = [];

    /// <summary>The versions whose payloads and images stay.</summary>
    [JsonIgnore]
    public IReadOnlyList<string?> Kept => [Current, Previous, Before];

    /// <summary>Why a version was not kept the last time it was tried, or null.</summary>
    public string? WhyNotKept(string version) => History.LastOrDefault(entry => entry.Version == version) is { Outcome: ReleaseTransaction.Reverted } entry ? entry.Detail : null;

    /// <summary>The state with one more entry in the history.</summary>
    public WorkloadState With(ReleaseEvent entry) => this with { History = [.. History.Append(entry).TakeLast(LongestHistory)] };
}
