using System.Text.Json.Serialization;

namespace Appliance.Supervisor.Updates;

/// <summary>All that the engine remembers. It is one file, replaced whole: every change of it is one step that happened or did not.</summary>
internal sealed record UpdateState
{
    /// <summary>Most entries of the history that are kept.</summary>
    public const int LongestHistory = 50;

    /// <summary>Most failed versions that are kept.</summary>
    public const int MostFailed = 20;

    /// <summary>Most failed versions of which the journal is kept: the file has its limit.</summary>
    public const int MostJournals = 5;

    /// <summary>Format version of the file.</summary>
    public int Format { get; init; } = UpdateStore.CurrentFormat;

    /// <summary>Where the engine stands.</summary>
    public EnginePhase Phase { get; init; }

    /// <summary>What is being installed, while <see cref="EnginePhase.Downloading"/>.</summary>
    public InstallRequest? Request { get; init; }

    /// <summary>What is installed or on trial.</summary>
    public PendingUpdate? Pending { get; init; }

    /// <summary>Versions that were not kept, the latest last.</summary>
    public IReadOnlyList<FailedVersion> Failed { get; init; } = [];

    /// <summary>How updates ended, the latest last.</summary>
    public IReadOnlyList<HistoryEntry> History { get; init; } = [];

    /// <summary>The latest look into a repository.</summary>
    public LastCheck? LastCheck { get; init; }

    /// <summary>The same with one more entry in the history.</summary>
    public UpdateState With(HistoryEntry entry) => this with { History = [.. History.TakeLast(LongestHistory - 1), entry] };

    /// <summary>The same with one more failed version.</summary>
    public UpdateState With(FailedVersion failed)
    {
        var others = Without(failed.Version).Failed.TakeLast(MostFailed - 1).ToList();
        return this with { Failed = [.. others.Select((other, i) => others.Count - i < MostJournals ? other : other with { Journal = [] }), failed] };
    }

    /// <summary>The same with a version that has not failed.</summary>
    public UpdateState Without(string failedVersion) => this with { Failed = [.. Failed.Where(other => other.Version != failedVersion)] };
}

/// <summary>The JSON form of <see cref="UpdateState"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(UpdateState))]
internal sealed partial class UpdateStateJson : JsonSerializerContext;
