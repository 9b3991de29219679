using System.Text.Json.Serialization;
using Appliance.Core.Access;
using Appliance.Core.Credentials;
using Appliance.Core.Fleet;
using Appliance.Core.Telemetry;
using Appliance.Core.Updates;
using Appliance.Core.Workloads;

namespace Appliance.Core.Images;

/// <summary>The JSON form of the settings that the builder puts into an image, source-generated so that it works under Native AOT.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    WriteIndented = true)]
[JsonSerializable(typeof(AccessSettings))]
[JsonSerializable(typeof(CredentialSettings))]
[JsonSerializable(typeof(FleetSettings))]
[JsonSerializable(typeof(SignaturePolicy))]
[JsonSerializable(typeof(TelemetrySettings))]
[JsonSerializable(typeof(UpdateSettings))]
public sealed partial class ImageSettingsJson : JsonSerializerContext;
