using System.Globalization;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Appliance.Supervisor.Device;

/// <summary>What the supervisor knows about the machine, read from the kernel below a root folder (tests have their own).</summary>
internal sealed class DeviceFacts(string root, string dataFolder)
{
    /// <summary>The image that runs.</summary>
    public ImageIdentity Image { get; } = ImageIdentity.Read(root);

    /// <summary>The slot it runs from.</summary>
    public RunningSlot Slot { get; } = RunningSlot.Read(root);

    /// <summary>The tries of this boot, null when it is not counted.</summary>
    public BootCount? BootCount { get; } = BootCount.Read(root);

    /// <summary>True when the version that runs was kept in this boot, before this daemon started.</summary>
    public bool WasKept { get; } = File.Exists(Path.Combine(root, Worker.TrialWork.KeptMark));

    /// <summary>True when EFI variables are there at all, so that an uncounted boot means a good one.</summary>
    public bool HasEfi { get; } = Directory.Exists(Path.Combine(root, "sys/firmware/efi"));

    /// <summary>The verity root hash the kernel was told, empty without one.</summary>
    public string RootHash { get; } = ReadRootHash(root);

    /// <summary>Kernel release.</summary>
    public string Kernel { get; } = ReadText(root, "proc/sys/kernel/osrelease");

    /// <summary>Host name.</summary>
    public string Hostname => ReadText(root, "proc/sys/kernel/hostname") is { Length: > 0 } name ? name : Environment.MachineName;

    /// <summary>The number that the device is told apart by, empty without one.</summary>
    public string Id => File.Exists(Path.Combine(root, "etc/machine-id")) ? DeviceId.Read(root) : "";

    /// <summary>Time since power-on.</summary>
    public TimeSpan Uptime =>
        double.TryParse(ReadText(root, "proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds) : TimeSpan.Zero;

    /// <summary>Memory in bytes: all, and what can be used without swapping.</summary>
    public (long Total, long Available) Memory => (MemoryLine("MemTotal"), MemoryLine("MemAvailable"));

    /// <summary>The data partition in bytes: all but what is kept for root, and free.</summary>
    public (long Total, long Free) Data
    {
        get
        {
            try
            {
                var drive = new DriveInfo(dataFolder);
                return (drive.TotalSize - (drive.TotalFreeSpace - drive.AvailableFreeSpace), drive.AvailableFreeSpace);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return (0, 0);
            }
        }
    }

    /// <summary>When the image was made: the builder gives every file its source date.</summary>
    public DateTimeOffset Built => ReadBuilt(root);

    /// <summary>What the hottest thermal zone of the kernel shows, in °C, or null without one.</summary>
    public double? Temperature
    {
        get
        {
            var zones = Path.Combine(root, "sys/class/thermal");
            if (!Directory.Exists(zones)) return null;
            // Sensors that are switched off show nonsense.
            return Directory.EnumerateDirectories(zones, "thermal_zone*").Select(Celsius).Where(value => value is > -40 and < 150).Max();
        }
    }

    /// <summary>Runnable and running tasks, averaged over a minute (proc(5), loadavg).</summary>
    public double Load => double.TryParse(ReadText(root, "proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture, out var load) ? load : 0;

    /// <summary>True once the clock has been set from the network.</summary>
    public bool ClockSet => IsClockSet(root);

    /// <summary>DNS servers that are asked: systemd-resolved's own list, or what the resolver's configuration says.</summary>
    public IReadOnlyList<string> Resolvers => (ReadText(root, "run/systemd/resolve/resolv.conf") is { Length: > 0 } own ? own : ReadText(root, "etc/resolv.conf")).Split('\n')
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(words => words is ["nameserver", _, ..])
        .Select(words => words[1])
        .ToList();

    /// <summary>The network interfaces, without loopback.</summary>
    public static IReadOnlyList<NetworkCard> Cards() => RealCards().OrderBy(card => card.Name, StringComparer.Ordinal).Select(NetworkCard.Of).ToList();

    /// <summary>Addresses a browser can use, without loopback and link-local ones.</summary>
    public static IReadOnlyList<string> Addresses() =>
        RealCards()
            .Where(card => card.OperationalStatus == OperationalStatus.Up)
            .SelectMany(card => card.GetIPProperties().UnicastAddresses)
            .Select(address => address.Address)
            .Where(address => !address.IsIPv6LinkLocal)
            .OrderBy(address => address.AddressFamily == AddressFamily.InterNetwork ? 0 : 1)
            .Select(address => address.ToString())
            .ToList();

    private static IEnumerable<NetworkInterface> RealCards() => NetworkInterface.GetAllNetworkInterfaces().Where(card => card.NetworkInterfaceType != NetworkInterfaceType.Loopback);

    private static double? Celsius(string zone)
    {
        try
        {
            return int.TryParse(File.ReadAllText(Path.Combine(zone, "temp")), NumberStyles.AllowLeadingSign | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var thousandths) ? thousandths / 1000.0 : null;
        }
        catch (IOException)
        {
            return null; // a sensor that does not answer
        }
    }

    private long MemoryLine(string name)
    {
        var path = Path.Combine(root, "proc/meminfo");
        var line = File.Exists(path) ? File.ReadLines(path).FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.Ordinal)) : null;
        return line is not null && long.TryParse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture, out var kibibytes) ? kibibytes * 1024 : 0;
    }

    /// <summary>When the image below a root folder was made; 1601 when there is none.</summary>
    public static DateTimeOffset ReadBuilt(string root) => File.GetLastWriteTimeUtc(Path.Combine(root, "usr/lib/os-release"));

    /// <summary>True once systemd-timesyncd has set the clock of the machine with this root folder.</summary>
    public static bool IsClockSet(string root) => File.Exists(Path.Combine(root, "run/systemd/timesync/synchronized"));

    /// <summary>The verity root hash on the kernel command line below a root folder, empty without one.</summary>
    public static string ReadRootHash(string root) =>
        ReadText(root, "proc/cmdline").Split(' ').FirstOrDefault(word => word.StartsWith("roothash=", StringComparison.Ordinal))?["roothash=".Length..] ?? "";

    private static string ReadText(string root, string path)
    {
        var full = Path.Combine(root, path);
        return File.Exists(full) ? File.ReadAllText(full).Trim() : "";
    }
}
