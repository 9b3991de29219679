using System.Text.Json.Serialization;

namespace Appliance.Supervisor.Credentials;

/// <summary>The rotation of a credential as it is kept on the disk.</summary>
internal sealed record RotationRecord
{
    /// <summary>Format that this program writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Format of the file.</summary>
    public int Format { get; init; } = CurrentFormat;

    /// <summary>Where it is.</summary>
    public RotationStep Step { get; init; }

    /// <summary>Who asked for it.</summary>
    public string? By { get; init; }

    /// <summary>When it began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>Whether the old one goes at once: somebody else may have it.</summary>
    public bool IsEmergency { get; init; }

    /// <summary>How often it was interrupted.</summary>
    public int Interruptions { get; init; }

    /// <summary>When the credential that is used took its place; null while that is the first one.</summary>
    public DateTimeOffset? RotatedAt { get; init; }

    /// <summary>Until when the old one stays at hand.</summary>
    public DateTimeOffset? RetireAt { get; init; }

    /// <summary>Why the last rotation failed, or null when it did not.</summary>
    public string? Trouble { get; init; }

    /// <summary>When it failed.</summary>
    public DateTimeOffset? TroubleAt { get; init; }

    /// <summary>Whether something is to be gone on with.</summary>
    [JsonIgnore]
    public bool IsUnderWay => Step is not (RotationStep.Idle or RotationStep.Grace);
}

/// <summary>The JSON form of <see cref="RotationRecord"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(RotationRecord))]
internal sealed partial class RotationJson : JsonSerializerContext;
