using System.Text.Json.Serialization;

namespace Appliance.Supervisor.Fleet;

/// <summary>What the fleet's server gave the device to do, and how far it is.</summary>
internal sealed record Assignment
{
    /// <summary>Format version of the file.</summary>
    public int Format { get; init; } = AssignmentFile.CurrentFormat;

    /// <summary>The server's number for it.</summary>
    public required string Id { get; init; }

    /// <summary>What it is.</summary>
    public required AssignmentKind Kind { get; init; }

    /// <summary>Name of the image, workload or credential.</summary>
    public required string Name { get; init; }

    /// <summary>The version in question.</summary>
    public required string Version { get; init; }

    /// <summary>Repository, the bundle itself, or the new credential; null for the device's own repository, and for a credential that the device makes.</summary>
    public string? Source { get; init; }

    /// <summary>Channel of the repository; null for the device's own.</summary>
    public string? Channel { get; init; }

    /// <summary>Whether the device restarts at once and not in a window of its own.</summary>
    public bool IsForced { get; init; }

    /// <summary>Whether the server lets the device restart now.</summary>
    public bool MayRestart { get; init; } = true;

    /// <summary>Whether the server has a window for it, so that it is asked before a restart.</summary>
    public bool HasWindow { get; init; }

    /// <summary>How far it is.</summary>
    public AssignmentStep Step { get; init; }

    /// <summary>Tries that were begun.</summary>
    public int Attempts { get; init; }

    /// <summary>When it came.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The credentials that a rotation is about, and what has become of each; empty before it is begun.</summary>
    public IReadOnlyList<AssignedRotation> Rotations { get => field ?? []; init; }

    /// <summary>How it ended, in words; empty before that.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Whether the server knows how it ended.</summary>
    public bool IsReported { get; init; }

    /// <summary>True when nothing of it remains to be done on the device.</summary>
    [JsonIgnore]
    public bool IsOver => Step is AssignmentStep.Succeeded or AssignmentStep.Failed or AssignmentStep.Canceled;

    /// <summary>Name and version.</summary>
    [JsonIgnore]
    public string Title => $"{Name} {Version}";
}

/// <summary>A credential that is to be made anew.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Before">What it was told by when the assignment was begun: by something else, once it has been changed.</param>
internal sealed record AssignedRotation(string Name, string? Before)
{
    /// <summary>Whether there is a new one.</summary>
    public bool IsDone { get; init; }

    /// <summary>Why there will be none, or null.</summary>
    public string? Failure { get; init; }

    /// <summary>Whether something remains to be done.</summary>
    [JsonIgnore]
    public bool IsOpen => !IsDone && Failure is null;
}

/// <summary>What is assigned.</summary>
internal enum AssignmentKind
{
    /// <summary>A version of the image, from a repository.</summary>
    Image,

    /// <summary>A release of a workload, from a repository.</summary>
    Workload,

    /// <summary>A bundle with a version of the image, as a file.</summary>
    ImageBundle,

    /// <summary>A bundle with a release of a workload, as a file.</summary>
    WorkloadBundle,

    /// <summary>A credential that is to be made anew, or is brought.</summary>
    Rotation,
}

/// <summary>How far an assignment is.</summary>
internal enum AssignmentStep
{
    /// <summary>It is to be begun.</summary>
    Accepted,

    /// <summary>It is being fetched and installed, or applied.</summary>
    Installing,

    /// <summary>It is in its slot, and waits for the restart or the verdict.</summary>
    Installed,

    /// <summary>It runs.</summary>
    Succeeded,

    /// <summary>It does not.</summary>
    Failed,

    /// <summary>It was called off.</summary>
    Canceled,
}
