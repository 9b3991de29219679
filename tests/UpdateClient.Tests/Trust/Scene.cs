using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Publishing;
using Appliance.UpdateClient.Trust;
using Core.Tests.Tuf;

namespace UpdateClient.Tests.Trust;

/// <summary>A publisher with keys and a repository, a device that trusts its first root, and what an attacker needs between them.</summary>
internal sealed class Scene : IDisposable
{
    public static readonly DateTimeOffset Start = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("trust");

    public Scene(int rootKeys = 1, int rootThreshold = 1)
    {
        Keys = new MemorySigners("timestamp", "snapshot", "targets", "stable", "beta");
        for (var i = 0; i < rootKeys; i++) Keys.Add("root");
        Root = RootDocument.CreateFirst(TufRole.TopLevel.ToDictionary(role => role, role => role == "root" ? rootThreshold : 1), Keys, Start, TimeSpan.FromDays(365));
        Mirror = new RecordingSource(Repository);
    }

    public MemorySigners Keys { get; }
    public SettableTime Time { get; } = new(Start);
    public byte[] Root { get; set; }
    public RecordingSource Mirror { get; set; }
    public string Repository => Path.Combine(_folder.FullName, "repository");
    public string Trust => Path.Combine(_folder.FullName, "trust");

    public MemorySigner Key(string role) => Keys.Roles[role][0];

    public void Dispose() => _folder.Delete(recursive: true);

    public TufRepositoryWriter Writer() => TufRepositoryWriter.Open(Repository, Root, Keys, null, Time);

    /// <summary>Publishes a target and its file.</summary>
    public Scene Publish(string channel = "stable", string name = "a.json", string content = "one")
    {
        var target = TargetFile.Of($"{channel}/{name}", Encoding.UTF8.GetBytes(content));
        var path = Path.Combine(Repository, target.PathInRepository(true));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        using var writer = Writer();
        writer.SetTarget(channel, target);
        writer.Commit();
        return this;
    }

    public void Rotate(string role, int threshold = 1)
    {
        var key = Keys.Add(role);
        using (var writer = Writer())
        {
            writer.ReplaceKeys(role, [key.Key], threshold);
            writer.Commit();
        }
        Keys.Roles[role].RemoveAll(other => other != key);
    }

    public void Renew(params string[] roles)
    {
        using var writer = Writer();
        foreach (var role in roles) writer.Renew(role);
        writer.Commit();
    }

    public TufClient Client(TufClientOptions? options = null) => new(Mirror, Trust, Root, (options ?? new()) with { Time = Time });

    public async Task<TufClient> RefreshAsync(TufClientOptions? options = null)
    {
        var client = Client(options);
        await client.RefreshAsync(CancellationToken.None);
        return client;
    }

    /// <summary>Refreshes and reads the stable channel: the whole of what a device does to see whether there is an update.</summary>
    public async Task<IReadOnlyList<TargetFile>> CheckAsync(TufClientOptions? options = null) => await (await RefreshAsync(options)).ReadChannelAsync("stable", CancellationToken.None);

    public async Task<string> RefusalAsync(TufClientOptions? options = null) =>
        (await Assert.ThrowsAsync<Appliance.Core.UserError>(() => CheckAsync(options))).ToString();

    public byte[] Read(string name) => File.ReadAllBytes(Path.Combine(Repository, "metadata", name));

    public void Write(string name, byte[] bytes) => File.WriteAllBytes(Path.Combine(Repository, "metadata", name), bytes);

    public void SaveRepository(string name) => Copy(Repository, Path.Combine(_folder.FullName, name));

    public void RestoreRepository(string name)
    {
        Directory.Delete(Repository, recursive: true);
        Copy(Path.Combine(_folder.FullName, name), Repository);
    }

    /// <summary>Changes the signed part of a file and signs it with other keys, as whoever holds them can.</summary>
    public byte[] Forge(string name, Action<JsonObject> edit, params ITufSigner[] signers) => Forge(Read(name), edit, signers);

    public static byte[] Forge(byte[] file, Action<JsonObject> edit, params ITufSigner[] signers)
    {
        var envelope = JsonNode.Parse(file)!.AsObject();
        var signed = envelope["signed"]!.AsObject();
        edit(signed);
        var canonical = CanonicalJson.Encode(JsonElement.Parse(signed.ToJsonString()));
        envelope["signatures"] = new JsonArray([.. signers.Select(signer => new JsonObject { ["keyid"] = signer.Key.Id, ["sig"] = Convert.ToHexStringLower(signer.Sign(canonical)) })]);
        return Encoding.UTF8.GetBytes(envelope.ToJsonString());
    }

    /// <summary>Puts a changed targets-level file in place and makes snapshot and timestamp say so: the work of whoever holds the online keys.</summary>
    public void ForgeListed(string role, byte[] bytes, long version)
    {
        Write($"{version}.{role}.json", bytes);
        ForgeSnapshot(meta => meta[$"{role}.json"] = Listing(bytes, version));
    }

    /// <summary>A new snapshot and timestamp signed with the real online keys, e.g. stolen ones.</summary>
    public void ForgeSnapshot(Action<JsonObject> editMeta, long? version = null, long? timestampVersion = null)
    {
        var timestamp = JsonNode.Parse(Read("timestamp.json"))!["signed"]!;
        var current = timestamp["meta"]!["snapshot.json"]!["version"]!.GetValue<long>();
        var next = version ?? current + 1;
        var snapshot = Forge($"{current}.snapshot.json", signed => { editMeta(signed["meta"]!.AsObject()); signed["version"] = next; }, Key("snapshot"));
        Write($"{next}.snapshot.json", snapshot);
        Write("timestamp.json", Forge("timestamp.json", signed =>
        {
            signed["version"] = timestampVersion ?? timestamp["version"]!.GetValue<long>() + 1;
            signed["meta"]!["snapshot.json"] = Listing(snapshot, next);
        }, Key("timestamp")));
    }

    public static JsonObject Listing(byte[] bytes, long version) => new()
    {
        ["version"] = version,
        ["length"] = bytes.Length,
        ["hashes"] = new JsonObject { ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(bytes)) },
    };

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }
    }
}
