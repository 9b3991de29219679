using System.Formats.Tar;
using Appliance.Core;
using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads.Podman;

/// <summary>Puts the images of a release into podman's store, those that it does not have.</summary>
internal sealed class PodmanImages(PodmanProgram podman)
{
    /// <summary>Unpacked beside the payload: podman's own unpacking would happen once for every image.</summary>
    private const string LayoutName = ".layout";

    /// <summary>Imports.</summary>
    /// <param name="release">The release.</param>
    /// <param name="payload">Its payload, which was verified when it came.</param>
    /// <param name="cancellationToken">Ends the work; it may be repeated.</param>
    /// <exception cref="UserError">There is no room, or podman refuses.</exception>
    public async Task ImportAsync(WorkloadRelease release, string payload, CancellationToken cancellationToken)
    {
        var missing = new List<string>();
        foreach (var image in release.Images)
            if (!await podman.HasImageAsync(image.Pinned, cancellationToken)) missing.Add(image.Pinned);
        var layout = Path.Combine(Path.GetDirectoryName(payload)!, LayoutName);
        Delete(layout); // of a run that was cut
        if (missing.Count == 0) return;
        try
        {
            await UnpackAsync(payload, layout, cancellationToken);
            foreach (var name in missing) await podman.ImportAsync(layout, name, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"The images of {release.Id} {release.Version} cannot be unpacked: {e.Message}", "Free space on the data partition, and apply the release again.", e);
        }
        finally
        {
            Delete(layout);
        }
    }

    private static async Task UnpackAsync(string payload, string layout, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(layout);
        await using var file = new FileStream(payload, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        await using var tar = new TarReader(file);
        while (await tar.GetNextEntryAsync(cancellationToken: cancellationToken) is { } entry)
        {
            if (entry.Name == WorkloadRelease.MemberName) continue;
            var path = Path.GetFullPath(Path.Combine(layout, entry.Name));
            if (!path.StartsWith(layout + '/', StringComparison.Ordinal)) throw new IOException($"{payload} has a member outside of it: {entry.Name}");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await using var copy = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
            await (entry.DataStream ?? Stream.Null).CopyToAsync(copy, 1 << 20, cancellationToken);
        }
    }

    private static void Delete(string layout)
    {
        if (Directory.Exists(layout)) Directory.Delete(layout, recursive: true);
    }
}
