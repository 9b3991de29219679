using System.Globalization;
using System.Text.Json;
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
internal sealed class ServerRepository(FleetClient client, string path)
{
    private const string Timestamp = "metadata/timestamp.json";

    /// <summary>The folder here.</summary>
    public RepositoryFolder Folder { get; } = new(path) { Fetch = (reference, stop) => FetchAsync(client, path, reference, stop) };

    /// <summary>Fetches the metadata that the server has. They are verified when the folder is opened for writing.</summary>
    /// <exception cref="UserError">The server cannot be reached.</exception>
    public async Task PullAsync(CancellationToken cancellationToken)
    {
        for (var root = 1; await PullAsync($"metadata/{root.ToString(CultureInfo.InvariantCulture)}.root.json", TufLimits.Root, cancellationToken) is not null; root++) { }
        if (await ReadAsync(Timestamp, TufLimits.Timestamp, cancellationToken) is not { } timestamp) return; // nothing is published yet
        var snapshot = await RequireAsync($"metadata/{VersionOf(timestamp, "snapshot.json")}.snapshot.json", TufLimits.Snapshot, cancellationToken);
        foreach (var (name, listed) in Meta(snapshot)) await RequireAsync($"metadata/{(long)listed!["version"]!}.{name}", TufLimits.Targets, cancellationToken);
        DurableFile.Write(Folder.Locate(Timestamp), timestamp, DurableFile.Readable);
    }

    /// <summary>Fetches the release documents that the metadata list.</summary>
    /// <exception cref="UserError">One is missing.</exception>
    public async Task PullReleasesAsync(TufRepositoryWriter writer, CancellationToken cancellationToken)
    {
        foreach (var channel in writer.Channels)
            foreach (var target in writer.TargetsOf(channel.Name)) await RequireAsync(target.PathInRepository(consistentSnapshot: true), ReleaseReader.LargestRelease, cancellationToken);
    }

    /// <summary>Sends what the server lacks, then what was signed.</summary>
    /// <param name="writer">The changes.</param>
    /// <param name="files">Files of the repository that they need.</param>
    /// <param name="progress">Bytes done of all.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>False when nothing changed.</returns>
    /// <exception cref="UserError">A key is not at hand, or the server refuses; nothing was published.</exception>
    public async Task<bool> CommitAsync(TufRepositoryWriter writer, IReadOnlyList<string> files, Action<long, long> progress, CancellationToken cancellationToken)
    {
        var versions = (await client.GetAsync("repository", cancellationToken))!["versions"]!.AsObject().ToDictionary(pair => pair.Key, pair => (long)pair.Value!);
        var signed = writer.SignChanges(versions);
        if (signed.Count == 0) return false;
        await SendAsync(files, progress, cancellationToken);
        var body = new JsonObject();
        foreach (var (role, bytes) in signed) body[role] = Convert.ToBase64String(bytes);
        await client.SendAsync(HttpMethod.Post, "repository/metadata", new JsonObject { ["files"] = body }, cancellationToken);
        await PullAsync(cancellationToken);
        writer.Refresh();
        return true;
    }

    /// <summary>Sends files that the server lacks.</summary>
    /// <exception cref="UserError">The server refuses.</exception>
    public async Task SendAsync(IReadOnlyList<string> files, Action<long, long> progress, CancellationToken cancellationToken)
    {
        var asked = new JsonObject { ["files"] = new JsonArray([.. files.Select(file => JsonValue.Create(file))]) };
        var missing = (await client.SendAsync(HttpMethod.Post, "repository/missing", asked, cancellationToken))!["files"]!.AsArray().Select(file => (string)file!).ToList();
        var (done, total) = (0L, missing.Sum(file => new FileInfo(Folder.Locate(file)).Length));
        foreach (var file in missing)
        {
            await using var stream = new CountedStream(File.OpenRead(Folder.Locate(file)), read => progress(done += read, total));
            await client.UploadAsync($"repository/files/{file}", stream, cancellationToken);
        }
    }

    private static Task<string?> FetchAsync(FleetClient client, string path, ObjectReference reference, CancellationToken cancellationToken)
    {
        var target = Path.Combine(path, reference.Path);
        return client.ReadFileAsync(reference.Path, async from =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            var partial = target + ".partial";
            await using (var to = File.Create(partial)) await from.CopyToAsync(to, cancellationToken);
            File.Move(partial, target, overwrite: true); // it is verified before it is used
            return target;
        }, cancellationToken);
    }

    private Task<byte[]?> ReadAsync(string file, int limit, CancellationToken cancellationToken) => client.ReadFileAsync(file, async from =>
    {
        using var content = new MemoryStream();
        var buffer = new byte[64 << 10];
        for (int read; (read = await from.ReadAsync(buffer, cancellationToken)) > 0; content.Write(buffer, 0, read))
            if (content.Length + read > limit) throw new UserError($"The server's {file} is larger than the {limit} bytes that it may have.");
        return content.ToArray();
    }, cancellationToken);

    /// <summary>Fetches a file that never changes, unless it is here.</summary>
    private async Task<byte[]?> PullAsync(string file, int limit, CancellationToken cancellationToken)
    {
        if (File.Exists(Folder.Locate(file))) return await File.ReadAllBytesAsync(Folder.Locate(file), cancellationToken);
        if (await ReadAsync(file, limit, cancellationToken) is not { } content) return null;
        Folder.WriteOnce(file, content);
        return content;
    }

    private async Task<byte[]> RequireAsync(string file, int limit, CancellationToken cancellationToken) =>
        await PullAsync(file, limit, cancellationToken) ?? throw new UserError($"The server's repository lacks {file}.", "Restore it there from a backup or a mirror.");

    private static long VersionOf(byte[] metadata, string name) => (long)(Meta(metadata)[name]?["version"] ?? throw Damaged());

    private static JsonObject Meta(byte[] metadata)
    {
        try
        {
            return JsonNode.Parse(metadata)?["signed"]?["meta"] as JsonObject ?? throw Damaged();
        }
        catch (JsonException)
        {
            throw Damaged();
        }
    }

    private static UserError Damaged() => new("The metadata of the server's repository are damaged.", "Check it there: appliance verify FOLDER");
}
