using System.Text.Json.Serialization;

namespace Appliance.Supervisor.Control;

/// <summary>A device that somebody has logged in to from here.</summary>
/// <param name="Fingerprint">SHA-256 of its certificate, in hexadecimal; null when it shows one that this machine trusts anyway.</param>
/// <param name="Token">The log-in, for the header <c>Authorization: Bearer TOKEN</c>.</param>
/// <param name="Until">When that ends.</param>
internal sealed record KnownDevice(string? Fingerprint, string Token, DateTimeOffset Until);

/// <summary>The JSON form of the file of <see cref="KnownDevices"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(Dictionary<string, KnownDevice>))]
internal sealed partial class KnownDeviceJson : JsonSerializerContext;
