using System.Text.Json.Serialization;

namespace Appliance.Supervisor.Access;

/// <summary>Who may change things on this device through the page, as it is kept on the disk.</summary>
internal sealed record AccessRecord
{
    /// <summary>Format that this program writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Format of the file.</summary>
    public int Format { get; init; } = CurrentFormat;

    /// <summary>The owner's password, hashed (<see cref="PasswordHash"/>); null while nobody has set one.</summary>
    public string? Password { get; init; }

    /// <summary>When the password was set; null for one that is older than this member.</summary>
    public DateTimeOffset? PasswordSince { get; init; }

    /// <summary>The code on the console by which the owner is known before there is a password; null afterwards.</summary>
    public string? SetupCode { get; init; }

    /// <summary>Log-ins that are good, the latest last.</summary>
    public IReadOnlyList<Session> Sessions { get; init; } = [];
}

/// <summary>The JSON form of <see cref="AccessRecord"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AccessRecord))]
internal sealed partial class AccessJson : JsonSerializerContext;
