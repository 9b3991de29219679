using Appliance.Core.Bundles;
using Appliance.Core.Images;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Publishing;
using Appliance.Core.Verity;
using Appliance.ImageBuilder.Publish;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Publish;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;
using Core.Tests.Tuf;

namespace UpdateClient.Tests.Install;

/// <summary>A publisher with bundles and a repository, and a device with two slots of plain files.</summary>
internal sealed class UpdateScene : IDisposable
{
    public static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("update");
    private readonly MemorySigners _keys = new("root", "timestamp", "snapshot", "targets", "stable", "beta");

    /// <summary>A scene that begins where another one is: the same keys, a copy of all files.</summary>
    public UpdateScene(UpdateScene other)
    {
        (_keys, Root, Time, Deltas) = (other._keys, other.Root, other.Time, other.Deltas);
        foreach (var file in Directory.EnumerateFiles(other.Folder, "*", SearchOption.AllDirectories))
        {
            var copy = this[Path.GetRelativePath(other.Folder, file)];
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        Directory.CreateDirectory(this["esp"]);
    }

    public UpdateScene()
    {
        Root = RootDocument.CreateFirst(TufRole.TopLevel.ToDictionary(role => role, _ => 1), _keys, Now, TimeSpan.FromDays(365));
        Directory.CreateDirectory(this["esp"]);
        Directory.CreateDirectory(Repository);
    }

    public byte[] Root { get; }
    /// <summary>True publishes patches and chunks, which takes a while in a debug build.</summary>
    public bool Deltas { get; init; }

    public SettableTime Time { get; } = new(Now);
    public string this[string name] => Path.Combine(_folder.FullName, name);
    public string Repository => this["repository"];
    public string Folder => _folder.FullName;
    public TestObserver Observer { get; } = new();

    public void Dispose() => _folder.Delete(recursive: true);

    public DeviceFacts Device { get; set; } = new() { DeviceId = "device-1", Id = "edge", Board = "vm", Architecture = "amd64", Version = "1.0" };

    public TargetSlot Slot => new()
    {
        Root = new SlotRegion(this["slot-root"]),
        Verity = new SlotRegion(this["slot-verity"]),
        Uki = this["esp/edge.efi"],
        Marker = new FileSlotMarker(this["slot-label"]),
    };

    public RunningSlot Running => new(File.Exists(Plain("1.0", "root.erofs")) ? Plain("1.0", "root.erofs") : null, File.Exists(Plain("1.0", "uki.efi")) ? Plain("1.0", "uki.efi") : null);

    /// <summary>Where a version's plain payload is.</summary>
    public string Plain(string version, string payload) => this[$"{version}-{payload}"];

    /// <summary>Root file systems that share most of their content; every version changes some blocks of the one before.</summary>
    public static byte[] RootBytes(string version, int size)
    {
        var bytes = new byte[size];
        // Half of it compresses, as files do.
        var random = new Random(1);
        for (var at = 0; at < size; at += 4096)
        {
            var block = bytes.AsSpan(at, Math.Min(4096, size - at));
            random.NextBytes(block[..(block.Length / 2)]);
        }
        var edits = new Random(StringComparer.Ordinal.GetHashCode(version) % 1 + version.Sum(c => c));
        for (var i = 0; i < Math.Max(size >> 18, 3); i++) edits.NextBytes(bytes.AsSpan(edits.Next(size / 4096) * 4096, 512));
        return bytes;
    }

    /// <summary>Makes a bundle as a build does.</summary>
    public async Task<string> BuildAsync(string version, int rootSize = 9 << 20, int ukiSize = 300_000, Func<BundleHeader, BundleHeader>? change = null, byte[]? root = null)
    {
        root ??= RootBytes(version, rootSize);
        await File.WriteAllBytesAsync(Plain(version, "root.erofs"), root);
        await File.WriteAllBytesAsync(Plain(version, "uki.efi"), RootBytes($"uki{version}", ukiSize));
        var salt = new byte[] { 1, 2, 3, (byte)version.Length };
        var tree = new VerityTreeWriter(root.Length, salt, ImageIdentity.NameBased("edge", "verity"), (_, _) => { });
        var digests = new byte[root.Length / 4096 * 32];
        VerityTreeWriter.HashBlocks(root, salt, digests);
        tree.Append(digests);
        var header = new BundleHeader { Id = "edge", Version = version, Board = "vm", Architecture = "amd64", RootHash = tree.Finish(), Salt = Convert.ToHexStringLower(salt), SourceDate = Now };
        header = change?.Invoke(header) ?? header;
        var packed = new List<PackedPayload>
        {
            await BundleWriter.PackAsync(new("root.erofs", BundlePayloadKind.Root, Plain(version, "root.erofs")), this["a.packed"], null, CancellationToken.None),
            await BundleWriter.PackAsync(new("uki.efi", BundlePayloadKind.Uki, Plain(version, "uki.efi")), this["b.packed"], null, CancellationToken.None),
        };
        var path = this[$"edge_{version}.bundle"];
        await BundleWriter.WriteAsync(header, packed, path, CancellationToken.None);
        return path;
    }

    public TufRepositoryWriter Writer(Action<string>? beforeStep = null) => TufRepositoryWriter.Open(Repository, Root, _keys, null, Time, beforeStep);

    public async Task<PublishResult> PublishAsync(string bundle, Func<PublishOptions, PublishOptions>? change = null, Action<string>? beforeStep = null)
    {
        var options = new PublishOptions { Bundle = bundle, Repository = Repository, Channel = "stable", Level = 1, Patches = Deltas ? 3 : 0, Chunks = Deltas };
        using var writer = Writer(beforeStep);
        return await new Publication(change?.Invoke(options) ?? options, writer, new RepositoryFolder(Repository, beforeStep), Observer).RunAsync(CancellationToken.None);
    }

    /// <summary>Builds and publishes in one go.</summary>
    public async Task<UpdateScene> PublishVersionAsync(string version, int rootSize = 9 << 20, Func<BundleHeader, BundleHeader>? change = null, Func<PublishOptions, PublishOptions>? options = null)
    {
        await PublishAsync(await BuildAsync(version, rootSize, change: change), options);
        return this;
    }

    public UpdateInstaller Installer(IRepositorySource source, UpdateOptions? options = null) =>
        new(source, new TufClient(source, this["trust"], Root, new TufClientOptions { Time = Time }), Device, (options ?? new UpdateOptions { StateFolder = this["state"] }) with { StateFolder = this["state"] });

    /// <summary>Checks, plans and installs.</summary>
    public async Task<UpdateResult> InstallAsync(IRepositorySource? source = null, UpdateOptions? options = null, string channel = "stable", TargetSlot? slot = null, Func<UpdatePlan, UpdatePlan>? change = null, CancellationToken cancellationToken = default)
    {
        var installer = Installer(source ?? new FolderSource(Repository), options);
        var check = await installer.CheckAsync(channel, cancellationToken);
        Assert.Equal(UpdateVerdict.Available, check.Verdict);
        using var plan = await installer.PlanAsync(check, Running, slot ?? Slot, cancellationToken);
        return await installer.InstallAsync(change?.Invoke(plan) ?? plan, slot ?? Slot, null, cancellationToken);
    }

    /// <summary>The slot holds the version, whole, and says so.</summary>
    public void AssertInstalled(string version)
    {
        Assert.Equal(File.ReadAllBytes(Plain(version, "root.erofs")), File.ReadAllBytes(this["slot-root"]));
        Assert.Equal(File.ReadAllBytes(Plain(version, "uki.efi")), File.ReadAllBytes(Slot.Uki));
        Assert.Equal($"edge_{version}", File.ReadLines(this["slot-label"]).First());
        Assert.Equal(["edge.efi"], new DirectoryInfo(this["esp"]).EnumerateFiles().Select(file => file.Name));
        Assert.Empty(Directory.EnumerateFiles(this["state"], "patch-*"));
    }

    /// <summary>The slot is as it was before anything was installed.</summary>
    public void ForgetSlot()
    {
        File.Delete(this["slot-root"]);
        File.Delete(Slot.Uki);
    }

    /// <summary>Nothing in the slot could be booted.</summary>
    public void AssertEmpty()
    {
        Assert.Equal("_empty", File.ReadLines(this["slot-label"]).First());
        Assert.False(File.Exists(Slot.Uki));
    }
}
