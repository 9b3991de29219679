using System.Text;
using Appliance.Core.Images;
using Appliance.Core.Verity;
using Appliance.ImageBuilder.Definition;

namespace Appliance.ImageBuilder.Disk;

/// <summary>
/// The partition table of an image: what boots, root A and its hash tree, root B and its hash tree, configuration, data.
/// Root and verity partition UUIDs are the two halves of the root hash (Discoverable Partitions Specification).
/// </summary>
internal sealed record DiskLayout
{
    private const long Alignment = 1L << 20, AutobootSize = 16L << 20, ConfigSize = 16L << 20;
    private static readonly Guid EspType = new("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    // Windows and macOS show it, unless it is hidden. A Raspberry Pi's boot partitions are not of the ESP's type, by which systemd would mount one of them
    // on its own account.
    private static readonly Guid BasicData = new("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
    private static readonly Dictionary<string, (Guid Root, Guid Verity)> RootTypes = new()
    {
        ["amd64"] = (new("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"), new("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5")),
        ["arm64"] = (new("b921b045-1df0-41c3-af44-4c6f280d3fae"), new("df3300ce-d69f-4c92-978c-9bfb0f38d820")),
    };
    private static readonly Guid LinuxData = new("0fc63daf-8483-4772-8e79-3d69d8477de4");

    public required Guid DiskId { get; init; }

    /// <summary>What the firmware reads: the ESP; for a Raspberry Pi the partition of <c>autoboot.txt</c> and a boot partition for each slot.</summary>
    public required IReadOnlyList<DiskPartition> Boot { get; init; }
    public required DiskPartition RootA { get; init; }
    public required DiskPartition VerityA { get; init; }
    public required DiskPartition RootB { get; init; }
    public required DiskPartition VerityB { get; init; }
    public required DiskPartition Config { get; init; }
    public required DiskPartition Data { get; init; }

    /// <summary>
    /// All partitions in the order of their numbers. The configuration has the last one, and its place before the data, which grow to the
    /// disk's end: versions from before there was one know the data by number.
    /// </summary>
    public IReadOnlyList<DiskPartition> Partitions => [.. Boot, RootA, VerityA, RootB, VerityB, Data, Config];

    /// <summary>Size of the whole disk in bytes, the backup table at its end included.</summary>
    public long Size => Data.End + Alignment;

    /// <summary>Lays a definition out, slot A holding the root with this hash.</summary>
    /// <param name="definition">Sizes, names and the board's architecture.</param>
    /// <param name="rootHash">The dm-verity root hash, 64 hex digits.</param>
    public static DiskLayout For(ImageDefinition definition, string rootHash)
    {
        var (rootType, verityType) = RootTypes[definition.Board.Architecture];
        var slotLabel = ImageIdentity.SlotLabel(definition.Id, definition.Version);
        var (rootId, verityId) = ImageIdentity.PartitionIds(rootHash);
        var veritySize = RoundUp(VerityGeometry.SizeFor(definition.Sizes.Slot), Alignment);
        var next = Alignment;
        DiskPartition Place(string label, Guid type, Guid id, long size)
        {
            var partition = new DiskPartition(label, type, id, next, size);
            next = partition.End;
            return partition;
        }
        return new DiskLayout
        {
            DiskId = NameBased(definition, "disk"),
            Boot = definition.Board.Boot == BootScheme.SystemdBoot
                ? [Place("esp", EspType, NameBased(definition, "esp"), definition.Sizes.Esp)]
                : [.. TrybootPartitions(definition).Select(part => Place(part.Label, BasicData, NameBased(definition, part.Label), part.Size) with { Hidden = true })],
            RootA = Place(slotLabel, rootType, rootId, definition.Sizes.Slot),
            VerityA = Place(slotLabel, verityType, verityId, veritySize),
            RootB = Place(ImageIdentity.EmptyLabel, rootType, NameBased(definition, "root-b"), definition.Sizes.Slot),
            VerityB = Place(ImageIdentity.EmptyLabel, verityType, NameBased(definition, "verity-b"), veritySize),
            Config = Place(ImageIdentity.ConfigLabel, BasicData, NameBased(definition, "config"), ConfigSize),
            Data = Place(DataLabel(definition), LinuxData, NameBased(definition, "data"), definition.Sizes.Data),
        };
    }

    /// <summary>GPT label of the data partition, by which the initrd finds it.</summary>
    public static string DataLabel(ImageDefinition definition) => $"{definition.Id}-data";

    /// <summary>A stable identifier for a thing of this image: the same definition always gives the same bytes.</summary>
    public static Guid NameBased(ImageDefinition definition, string name) => ImageIdentity.NameBased(definition.Id, name);

    /// <summary>The table as a script for sfdisk.</summary>
    public string ToSfdiskScript()
    {
        var script = new StringBuilder($"label: gpt\nlabel-id: {DiskId}\nunit: sectors\nfirst-lba: 2048\nlast-lba: {Size / 512 - 34}\n\n");
        foreach (var part in Partitions)
            script.Append($"start={part.Offset / 512}, size={part.Size / 512}, type={part.Type}, uuid={part.Id}, name=\"{part.Label}\"{(part.Hidden ? ", attrs=\"GUID:63\"" : "")}\n");
        return script.ToString();
    }

    /// <summary>A Raspberry Pi's boot partitions, side by side and before all others: so its firmware counts them as everybody does.</summary>
    public static IReadOnlyList<(string Label, long Size)> TrybootPartitions(ImageDefinition definition) =>
        [("autoboot", AutobootSize), ("boot-a", definition.Sizes.Esp), ("boot-b", definition.Sizes.Esp)];

    /// <summary>The Debian architecture a disk image is for, by the type of its root partitions; null where it has none.</summary>
    public static string? FindArchitecture(string image)
    {
        var types = ReadTypes(image);
        return RootTypes.FirstOrDefault(pair => types.Contains(pair.Value.Root)).Key;
    }

    /// <summary>True when a disk image starts by UEFI.</summary>
    public static bool HasEsp(string image) => ReadTypes(image).Contains(EspType);

    /// <summary>The table's entries follow its header, in the third sector, and each begins with its type (UEFI specification 2.10, section 5.3.3).</summary>
    private static HashSet<Guid> ReadTypes(string image)
    {
        const int sector = 512, entries = 128, entrySize = 128;
        var table = new byte[entries * entrySize];
        using var disk = File.OpenHandle(image, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return RandomAccess.Read(disk, table, 2 * sector) == table.Length ? [.. Enumerable.Range(0, entries).Select(entry => new Guid(table.AsSpan(entry * entrySize, 16)))] : [];
    }

    private static long RoundUp(long value, long step) => (value + step - 1) / step * step;
}
