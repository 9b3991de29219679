using System.Text.Json;

namespace Appliance.Supervisor.State;

/// <summary>A snapshot as its manifest describes it. It exists, whole, when its folder does.</summary>
internal sealed record StateSnapshot
{
    private const string ManifestName = "manifest.json", DataName = "data", SpareName = "spare";

    /// <summary>The version whose state it is.</summary>
    public required string From { get; init; }

    /// <summary>The version on trial, which may change the state now.</summary>
    public required string Version { get; init; }

    /// <summary>The slot of the version on trial.</summary>
    public required string Slot { get; init; }

    /// <summary>The boot that took it.</summary>
    public required string BootId { get; init; }

    /// <summary>When it was taken.</summary>
    public required DateTimeOffset TakenAt { get; init; }

    /// <summary>What it holds.</summary>
    public required IReadOnlyList<SnapshotItem> Items { get; init; }

    /// <summary>Name of its folder.</summary>
    public string Name => $"{From}_{BootId}";

    /// <summary>The paths that somebody named, without what belongs to them.</summary>
    public IReadOnlyList<string> Paths => Items.Select(item => item.Path).Where(path => !Items.Any(item => StateTaking.Companions.Any(ending => path == item.Path + ending))).ToList();

    /// <summary>The manifest's place in a snapshot's folder.</summary>
    public static string Manifest(string folder) => Path.Combine(folder, ManifestName);

    /// <summary>The folder of the content, root's alone: the items by their number.</summary>
    public static string Data(string folder) => Path.Combine(folder, DataName);

    /// <summary>Room that a restore on a full disk gives itself, for its journal and folders.</summary>
    public static string Spare(string folder) => Path.Combine(folder, SpareName);

    /// <summary>The snapshots in a folder, oldest first. Names with a dot are none, or not whole.</summary>
    /// <exception cref="InvalidDataException">A manifest is damaged.</exception>
    public static IReadOnlyList<StateSnapshot> ReadAll(string folder) => !Directory.Exists(folder) ? [] :
        new DirectoryInfo(folder).EnumerateDirectories().Where(snapshot => !snapshot.Name.StartsWith('.')).Select(snapshot => Read(snapshot.FullName)).OrderBy(snapshot => snapshot.TakenAt).ToList();

    private static StateSnapshot Read(string folder)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(Manifest(folder)), StateJson.Default.StateSnapshot)!;
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException)
        {
            throw new InvalidDataException($"{Manifest(folder)} is damaged: {e.Message}", e);
        }
    }
}
