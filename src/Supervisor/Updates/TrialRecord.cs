using System.Text.Json;
using System.Text.Json.Serialization;
using Appliance.Core;

namespace Appliance.Supervisor.Updates;

/// <summary>
/// What is on trial: written by root when a version is in its slot and whole, before anything of it runs, and deleted once it
/// was kept or given up. What must happen at a boot because of an update (snapshot, restore) follows from it.
/// </summary>
internal sealed record TrialRecord
{
    private const int LargestFile = 16 << 10;

    /// <summary>The record's place.</summary>
    public const string DefaultPath = "/var/lib/appliance/update/trial.json";

    /// <summary>The version on trial.</summary>
    public required string Version { get; init; }

    /// <summary>The version that installed it, to which the device goes back.</summary>
    public required string From { get; init; }

    /// <summary>The slot of the version on trial, <c>a</c> or <c>b</c>.</summary>
    public required string Slot { get; init; }

    /// <summary>The boot that installed it (<c>/proc/sys/kernel/random/boot_id</c>).</summary>
    public required string InstalledBy { get; init; }

    /// <summary>Reads the record; null when nothing is on trial.</summary>
    /// <exception cref="InvalidDataException">There is a file and it is not a record.</exception>
    public static TrialRecord? TryRead(string path) => RecordFile.TryRead(path, TrialRecordJson.Default.TrialRecord, LargestFile);

    /// <summary>Whether what runs is on trial by this record.</summary>
    /// <param name="version">The version that runs.</param>
    /// <param name="bootId">This boot: the one that installed a version is not on trial, even when it is the same version again.</param>
    public bool IsOf(string version, string bootId) => Version == version && InstalledBy != bootId;

    /// <summary>Writes the record to the disk; everybody may read it.</summary>
    public void Write(string path) => DurableFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, TrialRecordJson.Default.TrialRecord), DurableFile.Readable);

    /// <summary>Nothing is on trial any more.</summary>
    public static void Delete(string path) => DurableFile.Delete(path);
}

/// <summary>The JSON form of <see cref="TrialRecord"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(TrialRecord))]
internal sealed partial class TrialRecordJson : JsonSerializerContext;
