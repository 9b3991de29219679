using Appliance.Core;

namespace Appliance.ImageBuilder.Flash;

/// <summary>Where an image is written: a whole disk that nothing uses, or a file.</summary>
internal sealed record FlashTarget(string Path, bool IsDisk, long? Size, string Description)
{
    /// <summary>Looks at a target and refuses what must not be overwritten.</summary>
    /// <exception cref="UserError">Not there, a partition, in use, or read-only.</exception>
    public static FlashTarget Inspect(string path)
    {
        var name = System.IO.Path.GetFileName(System.IO.Path.GetFullPath(path));
        var block = $"/sys/class/block/{name}";
        var isDevice = System.IO.Path.GetFullPath(path).StartsWith("/dev/", StringComparison.Ordinal);
        if (!isDevice)
        {
            if (Directory.Exists(path)) throw new UserError($"{path} is a folder.", "Name a disk such as /dev/sdX, or a file.");
            return new FlashTarget(path, false, null, "a file");
        }
        if (!File.Exists(path) || !Directory.Exists(block)) throw new UserError($"{path} is not a disk.", "lsblk lists the disks.");
        if (File.Exists($"{block}/partition")) throw new UserError($"{path} is a partition; an image needs the whole disk.", "Name the disk itself, e.g. /dev/sdb instead of /dev/sdb1.");
        if (Read($"{block}/ro") == "1") throw new UserError($"{path} is write-protected.", "Check the card's switch.");
        RefuseInUse(path, name, block);
        var size = long.Parse(Read($"{block}/size")) * 512;
        var model = Read($"{block}/device/model");
        return new FlashTarget(path, true, size, $"{(model.Length > 0 ? model : "disk")}, {ByteSize.Format(size)}");
    }

    private static void RefuseInUse(string path, string name, string block)
    {
        var own = Directory.EnumerateDirectories(block).Where(folder => File.Exists($"{folder}/partition")).Append(block).ToList();
        var devices = own.Select(folder => Read($"{folder}/dev")).ToHashSet();
        foreach (var fields in File.ReadLines("/proc/self/mountinfo").Select(line => line.Split(' ')))
            if (devices.Contains(fields[2])) throw new UserError($"{path} is in use: {fields[4]} is mounted from it.", $"Make sure it is the right disk, then: umount {fields[4]}");
        foreach (var swap in File.ReadLines("/proc/swaps").Skip(1).Select(line => line.Split(' ')[0]))
            if (own.Any(folder => $"/dev/{System.IO.Path.GetFileName(folder)}" == swap)) throw new UserError($"{path} is in use as swap ({swap}).", $"Make sure it is the right disk, then: swapoff {swap}");
        var holders = own.Select(folder => $"{folder}/holders").Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries).FirstOrDefault();
        if (holders is not null) throw new UserError($"{path} is in use by {System.IO.Path.GetFileName(holders)} (LVM, RAID or encryption).", $"Make sure it is the right disk, then take that apart first; /dev/{name} is not touched.");
    }

    private static string Read(string path) => File.Exists(path) ? File.ReadAllText(path).Trim() : "";
}
