using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Releases;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Publishing;
using Appliance.ImageBuilder.Fleet;
using Appliance.UpdateClient.Publish;

namespace Appliance.ImageBuilder.Publish;

/// <summary>
/// The repository of an update server, of which a folder here has what a publication needs. Targets and channels are signed here;
/// the server signs snapshot and timestamp, with keys that this machine need not have.
/// </summary>
/// <param name="client">The server.</param>
/// <param name="path">The folder here.</param>
/// <param name="root">The publisher's root.</param>
internal sealed class ServerRepository(FleetClient client, string path, ReadOnlyMemory<byte> root)
{
    private const string Timestamp = "metadata/timestamp.json";
    private const int BufferSize = 64 << 10;

    /// <summary>The folder here.</summary>
    public RepositoryFolder Folder { get; } = new(path) { Fetch = (reference, stop) => FetchAsync(client, path, reference, stop) };

    /// <summary>
    /// Fetches the metadata that the server has. Nothing is written that the publisher's own keys do not vouch for, and nothing that is
    /// older than what was fetched before: a server that was taken over could have what was withdrawn signed anew.
    /// </summary>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">The server cannot be reached, or its metadata are not to be trusted.</exception>
    public async Task PullAsync(CancellationToken cancellationToken)
    {
        var trusted = new TrustedMetadata(root, "root.json of the keys", null);
        var (first, roots) = (trusted.Root.Version, new List<RootMetadata> { trusted.Root });
        while (await ReadAsync(RootPath(trusted.Root.Version + 1), TufLimits.Root, cancellationToken) is { } next)
        {
            trusted.TrustRoot(trusted.CheckNextRoot(next, RootPath(trusted.Root.Version + 1))!);
            roots.Add(trusted.Root);
        }
        if (await ReadAsync(Timestamp, TufLimits.Timestamp, cancellationToken) is not { } timestamp) return; // nothing is published yet
        Restore(trusted);
        if (!trusted.UpdateTimestamp(timestamp, Timestamp)) timestamp = trusted.Timestamp!.Envelope.Bytes.ToArray();
        var snapshot = $"metadata/{trusted.Timestamp!.Snapshot.Version}.snapshot.json";
        trusted.UpdateSnapshot(await RequireAsync(snapshot, TufLimits.Snapshot, cancellationToken), snapshot);
        var targets = await PullTargetsAsync(trusted, "targets.json", (bytes, where) => trusted.UpdateTargets(bytes, where), cancellationToken);
        foreach (var role in targets.Delegations.Where(role => trusted.Snapshot!.Files.ContainsKey(role.FileName)))
        {
            ChannelName.Require(role.Name); // it becomes part of file names here
            await PullTargetsAsync(trusted, role.FileName, (bytes, where) => trusted.UpdateDelegated(bytes, where, targets, role), cancellationToken);
        }
        for (var version = 1L; version < first; version++)
            if (await ReadAsync(RootPath(version), TufLimits.Root, cancellationToken) is { } bytes) Folder.WriteOnce(RootPath(version), bytes);
        foreach (var known in roots) Folder.WriteOnce(RootPath(known.Version), known.Envelope.Bytes.Span);
        Folder.WriteOnce(snapshot, trusted.Snapshot!.Envelope.Bytes.Span);
        DurableFile.Write(Folder.Locate(Timestamp), timestamp, DurableFile.Readable);
    }

    /// <summary>Fetches the release documents that the metadata list.</summary>
    /// <exception cref="UserError">One is missing, or is none.</exception>
    public async Task PullReleasesAsync(TufRepositoryWriter writer, CancellationToken cancellationToken)
    {
        foreach (var channel in writer.Channels)
            foreach (var target in writer.TargetsOf(channel.Name))
            {
                var file = target.PathInRepository(consistentSnapshot: true);
                if (!TargetFile.IsSafePath(target.Path) || !target.Path.StartsWith(channel.Name + "/", StringComparison.Ordinal)) throw new UserError($"The channel {channel.Name} of the server lists {target.Path}, which it may not have.", "Whoever has the channel's key has signed that.");
                if (File.Exists(Folder.Locate(file))) continue;
                var content = await RequireAsync(file, ReleaseReader.LargestRelease, cancellationToken);
                if (content.Length != target.Length || !target.Hashes.Match(content)) throw new UserError($"The server's {file} is not what was signed.", "Restore it there from a backup or a mirror.");
                Folder.WriteOnce(file, content);
            }
    }

    /// <summary>Sends what the server lacks, then what was signed.</summary>
    /// <param name="writer">The changes.</param>
    /// <param name="files">Files of the repository that they need.</param>
    /// <param name="isThere">Whether the server has listed them before: what it has lost or spoilt of them is sent last, and keeps no rollout from being stopped.</param>
    /// <param name="progress">Bytes done of all.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>False when nothing changed.</returns>
    /// <exception cref="UserError">A key is not at hand, or the server refuses; nothing was published.</exception>
    public async Task<bool> CommitAsync(TufRepositoryWriter writer, IReadOnlyList<string> files, bool isThere, Action<long, long> progress, CancellationToken cancellationToken)
    {
        if (!isThere) await SendAsync(files, progress, cancellationToken);
        var changed = await PostAsync(writer, cancellationToken);
        if (isThere) await SendAsync(files, progress, cancellationToken);
        return changed;
    }

    private async Task<bool> PostAsync(TufRepositoryWriter writer, CancellationToken cancellationToken)
    {
        var versions = (await client.GetAsync("repository", cancellationToken))!["versions"]!.AsObject().ToDictionary(pair => pair.Key, pair => (long)pair.Value!);
        var signed = writer.SignChanges(versions);
        if (signed.Count == 0) return false;
        var body = new JsonObject();
        foreach (var (role, bytes) in signed) body[role] = Convert.ToBase64String(bytes);
        await client.SendAsync(HttpMethod.Post, "repository/metadata", new JsonObject { ["files"] = body }, FleetClient.FileLimit, cancellationToken); // it reads every new object
        await PullAsync(cancellationToken);
        writer.Refresh();
        return true;
    }

    private async Task SendAsync(IReadOnlyList<string> files, Action<long, long> progress, CancellationToken cancellationToken)
    {
        if (files.Count == 0) return;
        var sizes = files.Distinct().ToDictionary(file => file, file => new FileInfo(Folder.Locate(file)).Length);
        var asked = new JsonObject();
        foreach (var (file, size) in sizes) asked[file] = size;
        var answer = (await client.SendAsync(HttpMethod.Post, "repository/missing", new JsonObject { ["files"] = asked }, FleetClient.FileLimit, cancellationToken))!["files"]!.AsArray().Select(file => (string)file!).ToHashSet();
        // Whatever the server answers, it gets nothing else.
        var missing = sizes.Where(file => answer.Contains(file.Key)).ToList();
        var (done, total) = (0L, missing.Sum(file => file.Value));
        foreach (var (file, _) in missing)
        {
            await using var stream = new CountedStream(File.OpenRead(Folder.Locate(file)), read => progress(done += read, total));
            await client.UploadAsync($"repository/files/{file}", stream, cancellationToken);
        }
    }

    private static async Task FetchAsync(FleetClient client, string path, ObjectReference reference, CancellationToken cancellationToken)
    {
        var target = Path.Combine(path, reference.Path);
        var partial = target + ".partial";
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var fetched = await client.ReadFileAsync(reference.Path, async (from, stop) =>
        {
            await using var to = File.Create(partial);
            if (!await CopyAsync(from, to, reference.Size, stop)) return "";
            to.Position = 0;
            return await reference.IsContentOfAsync(to, stop) ? target : "";
        }, cancellationToken);
        if (fetched != target) throw new UserError($"The server's {reference.Path} is {(fetched is null ? "missing" : "not what was signed")}.", "Restore it there from a backup or a mirror, or publish with --patches 0.");
        File.Move(partial, target, overwrite: true);
    }

    /// <summary>What was fetched before; forgotten where the keys are others by now.</summary>
    private void Restore(TrustedMetadata trusted)
    {
        try
        {
            if (!File.Exists(Folder.Locate(Timestamp))) return;
            trusted.RestoreTimestamp(File.ReadAllBytes(Folder.Locate(Timestamp)), Timestamp);
            var snapshot = $"metadata/{trusted.Timestamp!.Snapshot.Version}.snapshot.json";
            if (File.Exists(Folder.Locate(snapshot))) trusted.RestoreSnapshot(File.ReadAllBytes(Folder.Locate(snapshot)), snapshot);
        }
        catch (UserError e)
        {
            Console.Error.WriteLine($"warning: The working copy is not compared with the server: {e.Message}");
        }
    }

    private async Task<TargetsMetadata> PullTargetsAsync(TrustedMetadata trusted, string name, Func<ReadOnlyMemory<byte>, string, TargetsMetadata> take, CancellationToken cancellationToken)
    {
        var file = $"metadata/{trusted.Snapshot!.Files.GetValueOrDefault(name)?.Version}.{name}";
        var metadata = take(await RequireAsync(file, TufLimits.Targets, cancellationToken), file);
        Folder.WriteOnce(file, metadata.Envelope.Bytes.Span);
        return metadata;
    }

    private static string RootPath(long version) => string.Create(CultureInfo.InvariantCulture, $"metadata/{version}.root.json");

    private Task<byte[]?> ReadAsync(string file, int limit, CancellationToken cancellationToken) => client.ReadFileAsync(file, async (from, stop) =>
    {
        using var content = new MemoryStream();
        return await CopyAsync(from, content, limit, stop) ? content.ToArray() : throw new UserError($"The server's {file} is larger than the {limit} bytes that it may have.");
    }, cancellationToken);

    /// <summary>Copies a stream; false when it is longer than the limit.</summary>
    private static async Task<bool> CopyAsync(Stream from, Stream to, long limit, CancellationToken cancellationToken)
    {
        var buffer = new byte[BufferSize];
        for (int read; (read = await from.ReadAsync(buffer, cancellationToken)) > 0; await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken))
            if (to.Length + read > limit) return false;
        return true;
    }

    private async Task<byte[]> RequireAsync(string file, int limit, CancellationToken cancellationToken) =>
        await ReadAsync(file, limit, cancellationToken) ?? throw new UserError($"The server's repository lacks {file}.", "Restore it there from a backup or a mirror.");
}
