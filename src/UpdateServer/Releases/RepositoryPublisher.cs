using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Appliance.Core;
using Appliance.Core.Releases;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;
using Appliance.Core.Tuf.Publishing;
using Appliance.UpdateClient.Publish;
using Appliance.UpdateClient.Trust;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Serilog;

namespace Appliance.UpdateServer.Releases;

/// <summary>
/// Publishes what somebody else has signed. The server has the keys of snapshot and timestamp alone: it can say which of what was
/// signed counts, and for how long, and nothing more. Root, targets and channels are signed where their keys are.
/// </summary>
internal sealed partial class RepositoryPublisher(ServeOptions options, FleetDatabase database, RepositoryCatalogue catalogue, TimeProvider time) : RepeatedWork(Pause, time)
{
    /// <summary>Longest list of files that one request asks about.</summary>
    public const int MostPaths = 100_000;

    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(10), Young = TimeSpan.FromDays(1);
    private readonly RepositoryFolder _folder = new(options.Repository!, staging: ".uploading");
    private string _warned = "";

    /// <summary>Versions of the metadata that there are, by role.</summary>
    /// <exception cref="UserError">The server does not publish.</exception>
    public IReadOnlyDictionary<string, long> ReadVersions()
    {
        RequireKeys();
        return TufRepositoryWriter.ReadVersions(_folder.Path);
    }

    /// <summary>Which of some files are not there as they should be. They are read: a disk that spoils a file leaves its size as it was.</summary>
    /// <param name="files">Sizes of the files.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">A path is none of the repository.</exception>
    public async Task<IReadOnlyList<string>> FindMissingAsync(IReadOnlyDictionary<string, long> files, CancellationToken cancellationToken)
    {
        RequireKeys();
        if (files.Count > MostPaths) throw new UserError($"A request asks about at most {MostPaths} files.");
        var hashes = files.Keys.ToDictionary(path => path, HashIn);
        var missing = new List<string>();
        foreach (var (path, size) in files)
            if (!await IsWholeAsync(new FileInfo(_folder.Locate(path)), size, hashes[path], cancellationToken)) missing.Add(path);
        return missing;
    }

    /// <summary>Takes a file of a publication, whose name says its content. It is whole and on the disk when it has that name.</summary>
    /// <param name="path">Where it is in the repository.</param>
    /// <param name="content">The file.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">It is not what its name says, or too large.</exception>
    public async Task StoreAsync(string path, Stream content, CancellationToken cancellationToken)
    {
        RequireKeys();
        var hash = HashIn(path);
        Directory.CreateDirectory(_folder.Staging);
        var partial = Path.Combine(_folder.Staging, Guid.NewGuid().ToString("N"));
        try
        {
            var digests = await FileDigests.ReceiveAsync(content, partial, options.LargestUpload, cancellationToken);
            if (digests.Sha256 != hash) throw new UserError($"{path} is not what its name says: its content has the SHA-256 {digests.Sha256}.", "Send it again.");
            _folder.Place(partial, path);
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"{path} is too large: {e.Message}", "See --largest-upload.", e);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    /// <summary>Publishes metadata, when everything they say is there.</summary>
    /// <param name="files">The signed files by role.</param>
    /// <param name="who">Who publishes.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">They are not to be trusted, or something is missing; nothing was published.</exception>
    public Task PublishAsync(IReadOnlyDictionary<string, byte[]> files, string who, CancellationToken cancellationToken) => AloneAsync(async () =>
    {
        using var writer = Open();
        var before = Releases(writer).ToList();
        var roles = files.Keys.OrderBy(role => role switch { TufRole.Root => 0, TufRole.Targets => 1, _ => 2 }).ThenBy(role => role, StringComparer.Ordinal).ToList();
        foreach (var role in roles) writer.Adopt(role, files[role]);
        foreach (var channel in roles.Where(role => !TufRole.TopLevel.Contains(role))) await RequireAsync(PublishedRelease.ReadAll(_folder.Path, writer.AdoptedTargetsOf(channel)), before, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        writer.Renew(TufRole.Timestamp);
        writer.Commit();
        Log.Information("{Who} has published {Roles}", who, string.Join(", ", roles));
        await FinishAsync(before.Concat(Releases(writer)), roles, who);
    }, cancellationToken);

    /// <summary>It is published: what fails from here on is no failure of that.</summary>
    private async Task FinishAsync(IEnumerable<PublishedRelease> kept, IReadOnlyList<string> roles, string who)
    {
        try
        {
            await database.WriteAsync(context =>
            {
                context.Note(Time.GetUtcNow(), who, "repository.publish", "repository", string.Join(", ", roles));
                return Task.CompletedTask;
            }, CancellationToken.None);
            Sweep(kept);
            await catalogue.RefreshAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Log.Error("What comes after a publication failed: {Reason}", e.Message);
        }
    }

    /// <summary>Signs anew what the server has keys for, before it ends.</summary>
    /// <exception cref="UserError">It cannot.</exception>
    public Task RenewAsync(CancellationToken cancellationToken) => AloneAsync(async () =>
    {
        using var writer = Open();
        if (writer.Current is null) return;
        var due = writer.RenewDue();
        if (writer.Commit()) Log.Information("Renewed {Roles}", string.Join(", ", due.Renewed));
        var warnings = string.Join('\n', due.Warnings);
        if (warnings.Length > 0 && warnings != _warned) Log.Warning("{Warnings}", warnings);
        _warned = warnings;
    }, cancellationToken);

    /// <inheritdoc/>
    protected override Task WorkAsync(CancellationToken cancellationToken) => options.OnlineKeys is null ? Task.CompletedTask : RenewAsync(cancellationToken);

    /// <summary>Another server or publisher may have it at this moment.</summary>
    protected override void NoteFailure(Exception failure) => Log.Warning("The repository's metadata were not renewed: {Reason}", failure.Message);

    private KeyFolder RequireKeys() => options.OnlineKeys ?? throw new UserError("This server does not publish: it has no keys of snapshot and timestamp.", "Give it some with --online-keys, or publish where its repository is.");

    private TufRepositoryWriter Open() => TufRepositoryWriter.Open(options.Repository!, RequireKeys(), time: Time);

    private async Task RequireAsync(IReadOnlyList<PublishedRelease> releases, IReadOnlyList<PublishedRelease> before, CancellationToken cancellationToken)
    {
        var known = before.SelectMany(release => release.Release.Objects()).ToHashSet();
        foreach (var release in releases)
            foreach (var reference in release.Release.Objects())
                if (known.Contains(reference) ? !File.Exists(_folder.Locate(reference.Path)) : !await _folder.HasAsync(reference, cancellationToken))
                    throw new UserError($"{reference.Path} of {release.Offer.Id} {release.Offer.Version} is not there as it should be.", "Send it first; nothing was published.");
    }

    private IEnumerable<PublishedRelease> Releases(TufRepositoryWriter writer) => writer.Channels.SelectMany(channel => PublishedRelease.ReadAll(_folder.Path, writer.TargetsOf(channel.Name)));

    /// <summary>Deletes what no release has any more. What is young may belong to a publication under way.</summary>
    private void Sweep(IEnumerable<PublishedRelease> kept)
    {
        var keep = kept.SelectMany(release => release.Files()).ToHashSet(StringComparer.Ordinal);
        var young = (Time.GetUtcNow() - Young).UtcDateTime;
        foreach (var left in new DirectoryInfo(_folder.Staging) is { Exists: true } staging ? staging.EnumerateFiles().Where(file => file.LastWriteTimeUtc < young) : []) left.Delete();
        foreach (var name in new[] { "objects", "targets" })
        {
            var folder = new DirectoryInfo(_folder.Locate(name));
            if (!folder.Exists) continue;
            keep.UnionWith(folder.EnumerateFiles("*", SearchOption.AllDirectories).Where(file => file.LastWriteTimeUtc > young).Select(file => Path.GetRelativePath(_folder.Path, file.FullName)));
            _folder.Sweep(name, keep);
        }
    }

    private static async Task<bool> IsWholeAsync(FileInfo file, long size, string hash, CancellationToken cancellationToken)
    {
        if (!file.Exists || file.Length != size) return false;
        await using var content = file.OpenRead();
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancellationToken)) == hash;
    }

    private static string HashIn(string path) => NamedByContent().Match(path) is { Success: true } match && TargetFile.IsSafePath(path) && (!match.Groups["first"].Success || match.Groups["hash"].Value.StartsWith(match.Groups["first"].Value, StringComparison.Ordinal))
        ? match.Groups["hash"].Value : throw new UserError($"\"{path}\" is no file that a publication has.", "They are objects/HH/SHA256 and targets/CHANNEL/SHA256.NAME.json.");

    [GeneratedRegex(@"^(objects/(?<first>[0-9a-f]{2})/(?<hash>[0-9a-f]{64})|targets/[^/]+/(?<hash>[0-9a-f]{64})\.[^/]+\.json)\z")]
    private static partial Regex NamedByContent();
}
