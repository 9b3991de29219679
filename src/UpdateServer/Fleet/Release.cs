using Appliance.Core.Fleet;

namespace Appliance.UpdateServer.Fleet;

/// <summary>A version that devices can be given; a distribution set with one software module in hawkBit's words.</summary>
internal sealed class Release
{
    /// <summary>Number of the row.</summary>
    public long Id { get; set; }

    /// <summary>What it is.</summary>
    public ReleaseKind Kind { get; set; }

    /// <summary>Id of the image or workload, the name that its files were uploaded under, or the credential's.</summary>
    public required string Name { get; set; }

    /// <summary>Version.</summary>
    public required string Version { get; set; }

    /// <summary>The part of a device that it is (the type of a software module in hawkBit's words): <see cref="DdiWords.SystemPart"/>, <see cref="DdiWords.ApplicationPart"/> or <see cref="DdiWords.RotationPart"/>.</summary>
    public string Part { get; set; } = DdiWords.SystemPart;

    /// <summary>Board that it is for; empty for any.</summary>
    public string Board { get; set; } = "";

    /// <summary>Channel of the repository that offers it; empty for what is not from there.</summary>
    public string Channel { get; set; } = "";

    /// <summary>What is new, in words.</summary>
    public string? Notes { get; set; }

    /// <summary>Whether it can still be assigned: the repository has it, and nobody took it back.</summary>
    public bool IsAvailable { get; set; } = true;

    /// <summary>When the server first saw it.</summary>
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>Its files.</summary>
    public List<Artifact> Artifacts { get; } = [];

    /// <summary>The versions that devices can come from by patches.</summary>
    public List<ReleaseDelta> Deltas { get; } = [];
}
