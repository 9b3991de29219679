using System.Text.Json.Nodes;
using Appliance.Core;

namespace Appliance.ImageBuilder.Flash;

/// <summary>A whole disk, as <c>lsblk</c> of util-linux describes it with all that is on it.</summary>
internal sealed record FlashDisk
{
    // Where the running system lives, live media included.
    private static readonly string[] SystemPlaces = ["/", "/usr", "/boot", "/boot/efi", "/boot/firmware", "/efi", "/var", "/home", "/cdrom", "/run/live/medium", "/run/initramfs/live"];

    /// <summary>The kernel's name, e.g. <c>sdb</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The device, e.g. <c>/dev/sdb</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Vendor and model.</summary>
    public required string Model { get; init; }

    /// <summary>How it is connected: usb, mmc, nvme, sata, …; empty when nobody says.</summary>
    public required string Transport { get; init; }

    /// <summary>Size in bytes; 0 for a reader without a card.</summary>
    public required long Size { get; init; }

    /// <summary>The number of this medium in this drive (diskseq, Linux 5.15): another card has another one. Null where the kernel has none.</summary>
    public long? Sequence { get; init; }

    /// <summary>Bytes of a sector as the disk addresses them.</summary>
    public required int SectorSize { get; init; }

    /// <summary>True when it can be taken out.</summary>
    public required bool IsRemovable { get; init; }

    /// <summary>True for a file that looks like a disk (losetup).</summary>
    public required bool IsLoop { get; init; }

    /// <summary>True when the kernel does not let anybody write.</summary>
    public required bool IsReadOnly { get; init; }

    /// <summary>What is on it: names of partitions and file systems.</summary>
    public required IReadOnlyList<string> Contents { get; init; }

    /// <summary>Where something of it is mounted.</summary>
    public required IReadOnlyList<string> Mounts { get; init; }

    /// <summary>What of it is swapped to.</summary>
    public required IReadOnlyList<string> Swaps { get; init; }

    /// <summary>What was built from it and is active: LVM, RAID, encryption.</summary>
    public required IReadOnlyList<string> Holders { get; init; }

    /// <summary>True when the running system is on it.</summary>
    public required bool IsSystem { get; init; }

    /// <summary>What a person knows it by.</summary>
    public string Description => $"{(Model.Length > 0 ? Model : IsLoop ? "a loop device" : "a disk")}, {ByteSize.Format(Size)}";

    /// <summary>Why it must not be overwritten without being named, in order of weight.</summary>
    public IEnumerable<Danger> Dangers()
    {
        if (IsSystem) yield return new($"{Path} is in use: the running system is on it{(Mounts.Count > 0 ? $" ({string.Join(", ", Mounts.Take(3))} is mounted from it)" : "")}.", "Name another disk; `appliance flash IMAGE` lists those that can be taken out.", StaysInUse: true);
        else if (Mounts.Count > 0) yield return new($"{Path} is in use: {Mounts[0]} is mounted from it.", $"Make sure it is the right disk, then: umount {Mounts[0]}", StaysInUse: false);
        if (Swaps.Count > 0) yield return new($"{Path} is in use as swap ({Swaps[0]}).", $"Make sure it is the right disk, then: swapoff {Swaps[0]}", StaysInUse: false);
        if (Holders.Count > 0) yield return new($"{Path} is in use by {Holders[0]} (LVM, RAID or encryption).", "Make sure it is the right disk, then take that apart first.", StaysInUse: true);
        if (!IsSystem && Mounts.Count + Swaps.Count + Holders.Count == 0 && TargetDevice.IsHeld(Path)) yield return new($"{Path} is in use: ZFS, a btrfs of several disks or another program has it.", "fuser -v and zpool status say who.", StaysInUse: true);
        if (!IsRemovable && !IsLoop) yield return new($"{Path} ({Description}) is built in.", "Make sure it is the right disk.", StaysInUse: false);
    }

    /// <summary>For machines.</summary>
    public JsonObject ToJson() => new()
    {
        ["name"] = Name,
        ["path"] = Path,
        ["model"] = Model,
        ["transport"] = Transport,
        ["size"] = Size,
        ["removable"] = IsRemovable,
        ["readOnly"] = IsReadOnly,
        ["contents"] = Texts(Contents),
        ["mounts"] = Texts(Mounts),
        ["system"] = IsSystem,
    };

    /// <summary>Reads one device of lsblk's JSON.</summary>
    /// <param name="node">The device with its children.</param>
    /// <param name="rootDevices">Devices (major:minor) that the root file system is on.</param>
    public static FlashDisk Read(JsonNode node, IReadOnlySet<string> rootDevices)
    {
        var all = Below(node).Prepend(node).ToList();
        var mounts = all.SelectMany(Mountpoints).Where(mount => mount != "[SWAP]").Distinct().ToList();
        var swaps = all.Where(part => Mountpoints(part).Contains("[SWAP]")).Select(part => Text(part, "path")).ToList();
        var (name, transport) = (Text(node, "name"), Text(node, "tran"));
        if (transport.Length == 0 && name.StartsWith("mmcblk", StringComparison.Ordinal)) transport = "mmc";
        return new FlashDisk
        {
            Name = name,
            Path = Text(node, "path"),
            Model = PlainText.Clean(string.Join(' ', new[] { Text(node, "vendor"), Text(node, "model") }.Where(part => part.Length > 0 && !part.StartsWith("0x", StringComparison.Ordinal)))),
            Transport = transport,
            Size = (long?)node["size"] ?? 0,
            SectorSize = (int?)node["log-sec"] ?? 512,
            Sequence = long.TryParse(ReadFact(name, "diskseq"), out var sequence) ? sequence : null,
            // A card in a built-in slot and the eMMC beside it are on the same bus, all of which lsblk calls "hotplug".
            IsRemovable = transport == "mmc" ? ReadFact(name, "device/type") == "SD" : IsTrue(node, "rm") || IsTrue(node, "hotplug") || transport == "usb",
            IsLoop = Text(node, "type") == "loop",
            IsReadOnly = IsTrue(node, "ro"),
            Contents = [.. all.Select(Content).Where(content => content.Length > 0)],
            Mounts = mounts,
            Swaps = swaps,
            Holders = [.. Below(node).Where(part => Text(part, "type") != "part").Select(part => Text(part, "path"))],
            IsSystem = mounts.Any(SystemPlaces.Contains) || all.Any(part => rootDevices.Contains(Text(part, "maj:min"))),
        };
    }

    private static string? ReadFact(string name, string fact)
    {
        var path = $"/sys/class/block/{name}/{fact}";
        return File.Exists(path) ? File.ReadAllText(path).Trim() : null;
    }

    private static string Content(JsonNode part)
    {
        string[] words = [Text(part, "partlabel"), Text(part, "label"), Text(part, "fstype")];
        return PlainText.Clean(string.Join(' ', words.Where(word => word.Length > 0).Distinct()));
    }

    private static IEnumerable<JsonNode> Below(JsonNode node) => (node["children"] as JsonArray ?? []).SelectMany(child => Below(child!).Prepend(child!));

    private static IEnumerable<string> Mountpoints(JsonNode node) => (node["mountpoints"] as JsonArray ?? []).Select(mount => (string?)mount).OfType<string>();

    private static string Text(JsonNode node, string name) => ((string?)node[name])?.Trim() ?? "";

    private static bool IsTrue(JsonNode node, string name) => node[name] is JsonValue value && (value.TryGetValue<bool>(out var flag) ? flag : value.ToString() == "1");

    private static JsonArray Texts(IEnumerable<string> texts) => [.. texts.Select(text => (JsonNode)text)];
}
