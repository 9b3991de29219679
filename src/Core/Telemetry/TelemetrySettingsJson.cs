using System.Text.Json.Serialization;

namespace Appliance.Core.Telemetry;

/// <summary>The JSON form of <see cref="TelemetrySettings"/>, source-generated so that it works under Native AOT.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    WriteIndented = true)]
[JsonSerializable(typeof(TelemetrySettings))]
public sealed partial class TelemetrySettingsJson : JsonSerializerContext;
