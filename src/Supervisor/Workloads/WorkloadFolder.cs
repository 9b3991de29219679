using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.UpdateClient.Install;

namespace Appliance.Supervisor.Workloads;

/// <summary>The workloads of this device on the disk.</summary>
/// <param name="path">The folder; each workload has one of its own in it.</param>
/// <param name="onStep">For tests: called before every change on the disk.</param>
internal sealed class WorkloadFolder(string path, Action<string>? onStep = null)
{
    private const string LockFolder = ".locks", FetchName = ".fetch";

    /// <summary>Ids of those that are here.</summary>
    public IReadOnlyList<string> Ids => Directory.Exists(path)
        ? [.. Directory.EnumerateDirectories(path).Select(folder => Path.GetFileName(folder)!).Where(BundleRules.IsIdentifier).Where(id => Store(id).Exists).Order(StringComparer.Ordinal)]
        : [];

    /// <summary>A workload's releases, whether it is here or not.</summary>
    public WorkloadStore Store(string id) => new(Path.Combine(path, id)) { OnStep = onStep };

    /// <summary>A workload's releases.</summary>
    /// <exception cref="UserError">It is not here.</exception>
    public WorkloadStore Existing(string id)
    {
        RequireId(id);
        return Store(id) is var store && (store.Exists || store.Versions.Count > 0) ? store
            : throw new UserError($"There is no workload {id} here.", $"There {(Ids is { Count: > 0 } ids ? $"is {string.Join(", ", ids)}" : "is none")}. To bring it: appliancectl workloads apply {id}");
    }

    /// <summary>Where a release of a workload is put together.</summary>
    public string FetchFolder(string id) => Path.Combine(path, id, FetchName);

    /// <summary>Keeps other workers from a workload until it is disposed of. The lock is beside the workload's folder, which may go.</summary>
    /// <exception cref="UserError">Another one is at it.</exception>
    public FileStream Lock(string id) => StateFolderLock.Take(Path.Combine(path, LockFolder, id));

    /// <summary>Images of all workloads but one.</summary>
    public async Task<IReadOnlyCollection<string>> ReadImagesOfOthersAsync(string id, CancellationToken cancellationToken)
    {
        var images = new HashSet<string>(StringComparer.Ordinal);
        foreach (var store in Ids.Where(other => other != id).Select(Store))
            foreach (var version in store.Versions) images.UnionWith(await store.ReadImagesAsync(version, cancellationToken));
        return images;
    }

    /// <summary>Refuses what is no workload's id.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static void RequireId(string id)
    {
        if (!BundleRules.IsIdentifier(id)) throw new UserError($"\"{id}\" is no workload's id.", "An id has letters, digits, dots, dashes and underscores.");
    }
}
