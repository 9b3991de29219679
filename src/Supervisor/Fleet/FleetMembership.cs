using System.Text.Json.Serialization;

namespace Appliance.Supervisor.Fleet;

/// <summary>By what the device is known to its fleet's server; what the image says of the server, it may say otherwise.</summary>
internal sealed record FleetMembership
{
    /// <summary>Address of the server, or null for the image's.</summary>
    public string? Server { get; init; }

    /// <summary>The tenant, or null for the image's.</summary>
    public string? Tenant { get; init; }

    /// <summary>Certificates (PEM) that the server is trusted by, or null for the image's.</summary>
    public string? Trust { get; init; }

    /// <summary>What the server has said since that it is trusted by, or null.</summary>
    public LearnedTrust? Learned { get; init; }

    /// <summary>What lets the device in, until that has happened: it is given a token of its own for it.</summary>
    public string? EnrolmentToken { get; init; }

    /// <summary>The device's token, or its gateway's.</summary>
    public string? Token { get; init; }

    /// <summary>What the device is known by instead of a token, or null.</summary>
    public DeviceCredential? Certificate { get; init; }

    /// <summary>What comes after it, until that has been proved.</summary>
    public DeviceCredential? Next { get; init; }

    /// <summary>What was before it, and until when it is kept.</summary>
    public DeviceCredential? Previous { get; init; }

    /// <summary>Until when <see cref="Previous"/> is kept.</summary>
    public DateTimeOffset? PreviousUntil { get; init; }

    /// <summary>Whether <see cref="Previous"/> is the factory's.</summary>
    public bool IsPreviousFactorys { get; init; }

    /// <summary>Whether the device went back to an older one: <see cref="Previous"/> is the newer then, and stays until there is another.</summary>
    public bool IsPreviousNewer { get; init; }

    /// <summary>Whether the next one is wanted before it is due.</summary>
    public CertificateWish Wish { get; init; }

    /// <summary>Whether the device has something to show to the server.</summary>
    [JsonIgnore]
    public bool IsMember => Token is not null || Certificate is not null;

    /// <summary>What the device is called there, where its factory's certificate says so; null for its own id.</summary>
    public string? DeviceId { get; init; }

    /// <summary>Whether the certificate is the factory's: the server is to issue one of its own for it.</summary>
    public bool IsFactorys { get; init; }

    /// <summary>Whether the token is a gateway's, which many devices have.</summary>
    public bool IsGateways { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Server} ***";
}

/// <summary>When the device's next certificate is wanted.</summary>
internal enum CertificateWish
{
    /// <summary>When it is due.</summary>
    WhenDue,

    /// <summary>Now.</summary>
    Now,

    /// <summary>Now, and the one before goes at once: somebody else may have its key.</summary>
    Emergency,
}

/// <summary>The JSON form of what the device keeps of its fleet; <see cref="FleetMembership"/> itself is the file of format 1, which nobody writes any more.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(FleetMembership))]
[JsonSerializable(typeof(FleetMembershipRecord))]
[JsonSerializable(typeof(FleetSecrets))]
[JsonSerializable(typeof(Assignment))]
internal sealed partial class FleetStateJson : JsonSerializerContext;
