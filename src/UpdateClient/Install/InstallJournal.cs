using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Bundles;

namespace Appliance.UpdateClient.Install;

/// <summary>
/// What is being installed, and where, for the run after an interruption. How far it got is not in here: the target itself tells
/// that, window by window, and cannot be wrong about it.
/// </summary>
internal sealed record InstallJournal
{
    private const int CurrentFormat = 1, LargestFile = 64 << 10;
    private const string FileName = "install.json";

    /// <summary>Format version.</summary>
    public required int Format { get; init; }

    /// <summary>SHA-256 of the bundle that is installed.</summary>
    public required string Bundle { get; init; }

    /// <summary>Version that is installed.</summary>
    public required string Version { get; init; }

    /// <summary>The root region that is written.</summary>
    public required string Target { get; init; }

    /// <summary>The journal of an installation.</summary>
    public static InstallJournal For(UpdatePlan plan, TargetSlot slot) =>
        new() { Format = CurrentFormat, Bundle = plan.Release.Bundle.Sha256, Version = plan.Release.Header.Version, Target = $"{slot.Root.Path}@{slot.Root.Offset}" };

    /// <summary>Reads the journal; null when there is none that this program understands, and then nothing is to be gone on with.</summary>
    public static InstallJournal? TryRead(string folder)
    {
        try
        {
            var file = new FileInfo(Path.Combine(folder, FileName));
            return file.Exists && file.Length <= LargestFile ? TryParse(File.ReadAllBytes(file.FullName)) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Reads a journal from bytes that may be anything.</summary>
    internal static InstallJournal? TryParse(byte[] utf8)
    {
        try
        {
            var journal = JsonSerializer.Deserialize(utf8, InstallJson.Default.InstallJournal);
            return journal is { Format: CurrentFormat } && BundleRules.IsSha256(journal.Bundle) && BundleRules.IsVersion(journal.Version) ? journal : null;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Writes the journal.</summary>
    public void Write(string folder) => DurableFile.Write(Path.Combine(folder, FileName), JsonSerializer.SerializeToUtf8Bytes(this, InstallJson.Default.InstallJournal));

    /// <summary>Forgets the installation.</summary>
    public static void Delete(string folder)
    {
        File.Delete(Path.Combine(folder, FileName));
        DurableFile.SyncFolder(folder);
    }
}
