using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Flash;

/// <summary>The disks of this machine.</summary>
internal static class DiskList
{
    private const string Columns = "NAME,PATH,MAJ:MIN,TYPE,SIZE,VENDOR,MODEL,TRAN,RM,HOTPLUG,RO,LOG-SEC,FSTYPE,LABEL,PARTLABEL,MOUNTPOINTS";
    private static readonly string[] NoDisks = ["zram", "ram", "fd", "sr"];

    /// <summary>All disks that have a medium.</summary>
    public static async Task<IReadOnlyList<FlashDisk>> ReadAllAsync(CancellationToken cancellationToken) =>
        [.. Parse(await ListAsync(null, cancellationToken)).Where(disk => disk.Size > 0 && !NoDisks.Any(name => disk.Name.StartsWith(name, StringComparison.Ordinal)))];

    /// <summary>The disk that a person named by any of its paths, e.g. <c>/dev/disk/by-id/…</c>.</summary>
    /// <exception cref="UserError">It is no whole disk.</exception>
    public static async Task<FlashDisk> FindAsync(string path, CancellationToken cancellationToken)
    {
        var full = Path.GetFullPath(path);
        var device = new FileInfo(full) is { Exists: true, LinkTarget: not null } link ? link.ResolveLinkTarget(returnFinalTarget: true)!.FullName : full;
        var folder = $"/sys/class/block/{Path.GetFileName(device)}";
        if (!File.Exists(device) || !Directory.Exists(folder)) throw new UserError($"{path} is not a disk.", "`appliance flash IMAGE` lists the disks.");
        if (File.Exists($"{folder}/partition"))
        {
            var disk = Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(new DirectoryInfo(folder).ResolveLinkTarget(true)?.FullName ?? folder)));
            throw new UserError($"{path} is a partition; an image needs the whole disk.", $"Name the disk itself: /dev/{disk}");
        }
        return Parse(await ListAsync(device, cancellationToken)) is [var found, ..] ? found : throw new UserError($"{path} is not a disk.", "`appliance flash IMAGE` lists the disks.");
    }

    /// <summary>Reads what <c>lsblk --json</c> printed.</summary>
    public static IReadOnlyList<FlashDisk> Parse(string json)
    {
        var root = RootDevices();
        return [.. (JsonNode.Parse(json)?["blockdevices"] as JsonArray ?? []).Select(node => FlashDisk.Read(node!, root))];
    }

    private static async Task<string> ListAsync(string? device, CancellationToken cancellationToken)
    {
        var text = new System.Text.StringBuilder();
        try
        {
            string[] arguments = ["--json", "--bytes", "--output", Columns, .. device is null ? Array.Empty<string>() : [device]];
            await ToolRunner.RunAsync("lsblk", arguments, onOutput: line => text.AppendLine(line), cancellationToken: cancellationToken);
            return text.ToString();
        }
        catch (Exception e) when (e is ToolFailure or JsonException)
        {
            throw new UserError($"lsblk cannot tell what disks there are: {e.Message}", "Disks are listed and flashed on Linux, outside of containers.", e);
        }
    }

    /// <summary>What / is on, where lsblk does not say it: a btrfs has a device number of its own, and names the device as its source.</summary>
    private static HashSet<string> RootDevices()
    {
        var devices = new HashSet<string>(StringComparer.Ordinal);
        foreach (var line in File.ReadLines("/proc/self/mountinfo"))
        {
            // proc_pid_mountinfo(5): id, parent, major:minor, root, mount point, options…, "-", type, source.
            var fields = line.Split(' ');
            if (fields[4] != "/") continue;
            devices.Add(fields[2]);
            var source = fields[Array.IndexOf(fields, "-") + 2];
            if (!source.StartsWith("/dev/", StringComparison.Ordinal) || !File.Exists(source)) continue;
            var name = Path.GetFileName(new FileInfo(source).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? source);
            var number = $"/sys/class/block/{name}/dev";
            if (File.Exists(number)) devices.Add(File.ReadAllText(number).Trim());
        }
        return devices;
    }
}
