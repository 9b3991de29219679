using System.Text.Json.Serialization;

namespace Appliance.Core.Updates;

/// <summary>The JSON form of <see cref="UpdateSettings"/>, source-generated so that it works under Native AOT.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    WriteIndented = true)]
[JsonSerializable(typeof(UpdateSettings))]
public sealed partial class UpdateSettingsJson : JsonSerializerContext;
