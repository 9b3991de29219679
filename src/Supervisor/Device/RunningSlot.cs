using System.Globalization;
using Appliance.Supervisor.Boot;

namespace Appliance.Supervisor.Device;

/// <summary>The slot the root file system is on: <c>a</c> is partition 2 of the disk, <c>b</c> partition 4; on a Raspberry Pi 4 and 6.</summary>
internal sealed record RunningSlot(string Name, string Partition, string Label, bool Verified)
{
    /// <summary>The name when nothing tells which slot it is.</summary>
    public const string UnknownName = "unknown";

    /// <summary>What is known when nothing is.</summary>
    public static RunningSlot Unknown { get; } = new(UnknownName, "", "", false);

    /// <summary>Follows the root mount through device-mapper to its partition, below a root folder.</summary>
    public static RunningSlot Read(string root)
    {
        try
        {
            var device = File.ReadLines(Path.Combine(root, "proc/self/mountinfo")).Select(line => line.Split(' ')).First(fields => fields[4] == "/")[2];
            var block = Path.Combine(root, "sys/dev/block", device);
            var verified = File.Exists(Path.Combine(block, "dm/uuid")) && File.ReadAllText(Path.Combine(block, "dm/uuid")).StartsWith("CRYPT-VERITY", StringComparison.Ordinal);
            var slaves = Path.Combine(block, "slaves");
            var parts = Directory.Exists(slaves) ? Directory.EnumerateDirectories(slaves).Select(slave => ReadPartition(root, Path.GetFileName(slave))) : [ReadPartition(root, device, "sys/dev/block")];
            // Of the two partitions below verity the root comes first.
            var part = parts.Where(part => part.Number > 0).OrderBy(part => part.Number).First();
            return new RunningSlot((part.Number - (TrybootControl.IsHere(root) ? TrybootControl.MoreBootPartitions : 0)) switch { 2 => "a", 4 => "b", _ => UnknownName }, part.Name, part.Label, verified);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException or IndexOutOfRangeException)
        {
            return Unknown;
        }
    }

    /// <summary>The whole disk that the partition is on, as <c>/dev/NAME</c>; null when sysfs does not tell.</summary>
    public string? FindDisk(string root)
    {
        // A partition's folder in sysfs lies in its disk's.
        var entry = new DirectoryInfo(Path.Combine(root, "sys/class/block", Partition));
        var link = Partition.Length > 0 && entry.Exists ? entry.ResolveLinkTarget(returnFinalTarget: true) : null;
        return link is not null && Directory.GetParent(link.FullName) is { } disk ? Path.Combine("/dev", disk.Name) : null;
    }

    private static (int Number, string Name, string Label) ReadPartition(string root, string device, string folder = "sys/class/block")
    {
        var fields = File.ReadLines(Path.Combine(root, folder, device, "uevent")).Select(line => line.Split('=', 2)).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);
        _ = int.TryParse(fields.GetValueOrDefault("PARTN"), NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        return (number, fields.GetValueOrDefault("DEVNAME", device), fields.GetValueOrDefault("PARTNAME", ""));
    }
}
