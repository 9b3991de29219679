using System.Text.Json.Serialization;

namespace Appliance.Core.Health;

/// <summary>The JSON form of <see cref="HealthSettings"/>, source-generated so that it works under Native AOT.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    WriteIndented = true)]
[JsonSerializable(typeof(HealthSettings))]
public sealed partial class HealthJson : JsonSerializerContext;
