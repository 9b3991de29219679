using System.Text.Json;
using System.Text.Json.Serialization;
using Appliance.Core;

namespace Appliance.Supervisor.Health;

/// <summary>How healthy a machine was before an update: what the new version is compared with while it is on trial.</summary>
internal sealed record HealthBaseline
{
    private const int LargestFile = 1 << 20;

    /// <summary>The version that ran.</summary>
    public required string Version { get; init; }

    /// <summary>When it was taken.</summary>
    public required DateTimeOffset TakenAt { get; init; }

    /// <summary>The checks that had been tried, by name.</summary>
    public required IReadOnlyDictionary<string, BaselineCheck> Checks { get; init; }

    /// <summary>Reads a baseline; null when there is none.</summary>
    /// <exception cref="InvalidDataException">There is a file and it is none.</exception>
    public static HealthBaseline? TryRead(string path) => RecordFile.TryRead(path, HealthBaselineJson.Default.HealthBaseline, LargestFile);

    /// <summary>Writes the baseline to the disk.</summary>
    public void Write(string path) => DurableFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, HealthBaselineJson.Default.HealthBaseline));
}

/// <summary>The JSON form of <see cref="HealthBaseline"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(HealthBaseline))]
internal sealed partial class HealthBaselineJson : JsonSerializerContext;
