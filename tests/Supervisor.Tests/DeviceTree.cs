using System.Text;

namespace Supervisor.Tests;

/// <summary>Files of a device as the supervisor reads them: root on verity over partition 2 or 4, booted with EFI.</summary>
internal sealed class DeviceTree : IDisposable
{
    private const string BootCountPath = "sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("device");

    public DeviceTree(int partition = 2, string? bootCount = "\\EFI\\Linux\\edge_1.0+2-1.efi")
    {
        Write("usr/lib/os-release", "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nIMAGE_ID=\"edge\"\nIMAGE_VERSION=\"1.0\"\nAPPLIANCE_BOARD=\"vm\"\nAPPLIANCE_WORKLOADS=\"podman\"\n# a comment\nodd line\n");
        Write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        Write("proc/self/mountinfo", "22 1 0:20 / /proc rw - proc proc rw\n30 1 254:0 / / ro - erofs /dev/mapper/root ro\n");
        Write("proc/cmdline", "console=ttyS0 roothash=00ff quiet\n");
        Write("proc/uptime", "93784.5 1.0\n");
        Write("proc/meminfo", "MemTotal:        2048 kB\nMemAvailable:    1024 kB\n");
        Write("proc/sys/kernel/hostname", "edge-7\n");
        Write("proc/sys/kernel/osrelease", "6.12\n");
        Write("sys/dev/block/254:0/dm/uuid", "CRYPT-VERITY-00ff-root");
        foreach (var (name, number) in new[] { ("vda" + partition, partition), ("vda" + (partition + 1), partition + 1) })
        {
            Write($"sys/dev/block/254:0/slaves/{name}/keep", "");
            Write($"sys/class/block/{name}/uevent", $"DEVNAME={name}\nPARTN={number}\nPARTNAME=edge_1.0\n");
        }
        Directory.CreateDirectory(Path.Combine(Root, "sys/firmware/efi/efivars"));
        if (bootCount is not null) File.WriteAllBytes(Path.Combine(Root, BootCountPath), [6, 0, 0, 0, .. Encoding.Unicode.GetBytes(bootCount + "\0")]);
    }

    public string Root => _folder.FullName;

    public void Write(string path, string text)
    {
        var full = Path.Combine(Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
