using System.Text.Json;
using System.Text.Json.Serialization;
using Appliance.Supervisor.Fleet;

namespace Appliance.Supervisor.Provisioning;

/// <summary>What a device was told on its disk that only its supervisor can do: a file in the supervisor's folder until it is done.</summary>
internal sealed record PendingSetup
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "setup.json";

    /// <summary>The code by which somebody becomes the owner, or null.</summary>
    public string? SetupCode { get; init; }

    /// <summary>Token by which a fleet's server lets the device in, or null for no fleet.</summary>
    public string? EnrolmentToken { get; init; }

    /// <summary>The server; null for the image's.</summary>
    public string? Server { get; init; }

    /// <summary>The tenant; null for the image's.</summary>
    public string? Tenant { get; init; }

    /// <summary>Certificates (PEM) that the server is trusted by; null for the image's.</summary>
    public string? Trust { get; init; }

    /// <summary>How the device joins; null for no fleet.</summary>
    [JsonIgnore]
    public JoinRequest? Join => EnrolmentToken is null ? null : new JoinRequest { EnrolmentToken = EnrolmentToken, Server = Server, Tenant = Tenant, Trust = Trust };

    /// <summary>The file's content.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, SetupJson.Default.PendingSetup);
}

/// <summary>Reads and writes it without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PendingSetup))]
internal sealed partial class SetupJson : JsonSerializerContext;
