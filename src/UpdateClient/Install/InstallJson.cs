using System.Text.Json.Serialization;

namespace Appliance.UpdateClient.Install;

/// <summary>The JSON form of the client's own state.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    AllowDuplicateProperties = false)]
[JsonSerializable(typeof(InstallJournal))]
internal sealed partial class InstallJson : JsonSerializerContext;
