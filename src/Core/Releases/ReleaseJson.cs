using System.Text.Json.Serialization;

namespace Appliance.Core.Releases;

/// <summary>The JSON form of a release: member names in camel case, in the order of declaration, no white space.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Release))]
[JsonSerializable(typeof(ReleaseOffer))]
public sealed partial class ReleaseJson : JsonSerializerContext;
