using Appliance.Core;
using Appliance.Core.Fleet;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Microsoft.EntityFrameworkCore;
using Microsoft.Net.Http.Headers;

namespace Appliance.UpdateServer.Releases;

/// <summary>Where the files of releases are: bundles in the repository, uploaded ones in the data folder under the name of their content.</summary>
internal sealed class ArtifactStore(FleetDatabase database, ServeOptions options, TimeProvider time)
{
    private const string UploadMark = "upload:";
    private static readonly TimeSpan Young = TimeSpan.FromDays(1);

    private string Uploads => Path.Combine(options.DataFolder, "artifacts");

    /// <summary>A release that a device was given, with its files; null when it was not.</summary>
    public async Task<Release?> FindAsync(long releaseId, Device device, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        return await context.Releases.AsNoTracking().Include(row => row.Artifacts)
            .FirstOrDefaultAsync(row => row.Id == releaseId && context.Actions.Any(action => action.DeviceId == device.Id && action.ReleaseId == releaseId), cancellationToken);
    }

    /// <summary>Sends a file, or ranges of it.</summary>
    public IResult Send(Artifact artifact)
    {
        var path = artifact.Path.StartsWith(UploadMark, StringComparison.Ordinal) ? Path.Combine(Uploads, artifact.Path[UploadMark.Length..]) : Path.Combine(options.Repository ?? "", artifact.Path);
        return File.Exists(path)
            ? Results.File(Path.GetFullPath(path), "application/octet-stream", enableRangeProcessing: true, entityTag: new EntityTagHeaderValue($"\"{artifact.Sha1}\""))
            : Results.Problem($"The file of {artifact.FileName} is not where it should be on the server.", statusCode: StatusCodes.Status404NotFound);
    }

    /// <summary>Takes a file for a release of uploaded files, which is made when it is not there. The file counts when it is whole and on the disk.</summary>
    /// <param name="name">Name of the release.</param>
    /// <param name="version">Version.</param>
    /// <param name="part">The part of a device that it is.</param>
    /// <param name="fileName">Name that devices see.</param>
    /// <param name="content">The file.</param>
    /// <param name="who">Who uploads it.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">The release has another file of that name, or the file is too large.</exception>
    public async Task<Release> UploadAsync(string name, string version, string part, string fileName, Stream content, string who, CancellationToken cancellationToken)
    {
        Sweep(Directory.CreateDirectory(Uploads));
        var partial = Path.Combine(Uploads, $".{Guid.NewGuid():N}");
        try
        {
            var digests = await FileDigests.ReceiveAsync(content, partial, options.LargestUpload, cancellationToken);
            File.Move(partial, Path.Combine(Uploads, digests.Sha256), overwrite: true);
            DurableFile.SyncFolder(Uploads);
            return await database.WriteAsync(context => RecordAsync(context, name, version, part, fileName, digests, who, cancellationToken), cancellationToken);
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"{fileName} is too large: {e.Message}", "See --largest-upload.", e);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    /// <summary>Deletes what uploads left that were cut off. What is young may be one under way.</summary>
    private void Sweep(DirectoryInfo uploads)
    {
        foreach (var left in uploads.EnumerateFiles(".*").Where(file => time.GetUtcNow() - file.LastWriteTimeUtc > Young)) left.Delete();
    }

    private async Task<Release> RecordAsync(FleetContext context, string name, string version, string part, string fileName, FileDigests digests, string who, CancellationToken cancellationToken)
    {
        var kind = part == DdiWords.RotationPart ? ReleaseKind.Rotation : ReleaseKind.Files;
        var release = await context.Releases.Include(row => row.Artifacts).FirstOrDefaultAsync(row => row.Kind == kind && row.Name == name && row.Version == version, cancellationToken);
        if (release is null) context.Releases.Add(release = new Release { Kind = kind, Name = name, Version = version, Part = part, CreatedAt = time.GetUtcNow() });
        if (release.Part != part) throw new UserError($"{name} {version} is there already as another part of a device: {release.Part}.", "Upload it under another name.");
        if (release.Artifacts.Find(artifact => artifact.FileName == fileName) is { } present)
            return present.Sha256 == digests.Sha256 ? release : throw new UserError($"{name} {version} has another file {fileName} already.", "Devices may have fetched it. Give what is new a version of its own.");
        if (kind == ReleaseKind.Rotation && release.Id != 0) throw new UserError($"The rotation {name} {version} is there already, {(release.Artifacts.Count == 0 ? "without a file" : "with another file")}.", "Devices may have done it. Give what is new a version of its own.");
        release.Artifacts.Add(new Artifact { FileName = fileName, Path = UploadMark + digests.Sha256, Size = digests.Size, Sha256 = digests.Sha256, Sha1 = digests.Sha1, Md5 = digests.Md5 });
        context.Note(time.GetUtcNow(), who, "release.upload", $"release {name} {version}", $"{fileName}, {digests.Size} bytes, sha256 {digests.Sha256}");
        return release;
    }
}
