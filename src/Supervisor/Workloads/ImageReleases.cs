using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads;

/// <summary>The releases that the running image brings; they are part of its root, and verified with it.</summary>
/// <param name="root">Root of the files that are read.</param>
internal sealed class ImageReleases(string root)
{
    private const int CopyBuffer = 1 << 20;

    private string Folder => Path.Join(root, WorkloadRelease.ImageFolder);

    /// <summary>Ids of the workloads.</summary>
    public IReadOnlyList<string> Ids => Directory.Exists(Folder) ? [.. Directory.EnumerateDirectories(Folder).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)] : [];

    /// <summary>Whether there is one of a workload.</summary>
    public bool Has(string id) => File.Exists(PayloadOf(id));

    /// <summary>Path of a workload's payload.</summary>
    public string PayloadOf(string id) => Path.Combine(Folder, id, WorkloadRelease.PayloadName);

    /// <summary>The release of a workload.</summary>
    /// <exception cref="UserError">It cannot be read.</exception>
    public async Task<WorkloadRelease> ReadAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = File.OpenRead(PayloadOf(id));
            return await WorkloadArchiveReader.ReadReleaseAsync(file, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UserError($"The image's release of {id} cannot be read: {e.Message}", "Install the image again, or another version of it.", e);
        }
    }

    /// <summary>Copies a workload's payload; it is on the disk when this returns.</summary>
    /// <exception cref="UserError">There is no room for it.</exception>
    public async Task CopyAsync(string id, string target, CancellationToken cancellationToken)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            await using var source = File.OpenRead(PayloadOf(id));
            await using var copy = new FileStream(target, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
            await source.CopyToAsync(copy, CopyBuffer, cancellationToken);
            copy.Flush(flushToDisk: true);
        }
        catch (IOException e)
        {
            File.Delete(target);
            throw new UserError($"The image's release of {id} cannot be copied to the data partition: {e.Message}", "Free space on the data partition (appliancectl status shows it), and restart.", e);
        }
    }

    /// <summary>Refuses what would make a workload another than the image's.</summary>
    /// <exception cref="UserError">The image brings it.</exception>
    public void RequireOther(string? id)
    {
        if (id is not null && BundleRules.IsIdentifier(id) && Has(id)) throw new UserError($"The workload {id} belongs to the image: it comes and goes with it.", "Build the image with another release of it (workloads.include), and install that.");
    }
}
