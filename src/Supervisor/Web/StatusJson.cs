using System.Text.Json.Serialization;

namespace Appliance.Supervisor.Web;

/// <summary>The JSON form of the status.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DeviceStatus))]
[JsonSerializable(typeof(DeviceHealth))]
[JsonSerializable(typeof(IReadOnlyList<DeviceFinding>))]
internal sealed partial class StatusJson : JsonSerializerContext;
