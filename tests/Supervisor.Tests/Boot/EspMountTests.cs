using System.Diagnostics;
using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;

namespace Supervisor.Tests.Boot;

public sealed class EspMountTests
{
    [Fact]
    public void FindMountPoint_BehindAnAutomount_GivesTheFileSystemsOwn()
    {
        string[] lines =
        [
            "40 30 0:35 / /boot rw,relatime shared:16 - autofs systemd-1 rw,fd=60,pgrp=1,timeout=120",
            "90 40 254:1 / /boot rw,nosuid,nodev,noexec shared:50 - vfat /dev/vda1 rw,umask=0077",
            "91 30 254:6 /lib /var/lib rw - ext4 /dev/vda6 rw",
            "92 30 254:6 / /a\\040b rw - ext4 /dev/vda6 rw",
        ];

        Assert.Equal("/boot", EspMount.FindMountPoint(lines, "254:1"));
        Assert.Equal("/a b", EspMount.FindMountPoint(lines, "254:6"));
        Assert.Null(EspMount.FindMountPoint(lines, "254:2"));
    }

    [Fact]
    public void InOrder_AMount_IsSynchronousWhileNamesChange()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "mounts a file system");
        var folder = Directory.CreateTempSubdirectory("esp").FullName;
        Run("mount", "-t", "tmpfs", "-o", "ro", "esp", folder);
        try
        {
            using var mount = EspMount.Open(folder, mounted: true);
            string[] during = [];
            mount.InOrder(() => during = Options(folder));

            Assert.Contains("rw", during);
            Assert.Contains("sync", during);
            Assert.Contains("rw", Options(folder));
            Assert.DoesNotContain("sync", Options(folder));
        }
        finally
        {
            Run("umount", folder);
            Directory.Delete(folder);
        }
    }

    [Fact]
    public void Mount_ADevice_IsThereUntilDisposed()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "mounts a file system");
        var folder = Path.Combine(Path.GetTempPath(), $"esp-{Guid.NewGuid():N}", "esp");

        using (var mount = EspMount.Mount("none", folder, "tmpfs", null))
            Assert.Contains("rw", Options(mount.Folder));

        Assert.DoesNotContain(File.ReadLines("/proc/self/mountinfo"), line => line.Split(' ')[4] == folder);
        Assert.Contains("cannot be mounted", Assert.Throws<UserError>(() => EspMount.Mount("/dev/none", folder, "ext4", null)).Message);
        Directory.Delete(Path.GetDirectoryName(folder)!, recursive: true);
    }

    [Fact]
    public void Mount_ToLookAt_IsWritableOnlyOnceItIsAsked()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "mounts a file system");
        var folder = Path.Combine(Path.GetTempPath(), $"esp-{Guid.NewGuid():N}");

        using (var mount = EspMount.Mount("none", folder, "tmpfs", "size=1M", writable: false))
        {
            Assert.Throws<IOException>(() => File.WriteAllText(Path.Combine(folder, "file"), "one"));
            mount.MakeWritable();
            File.WriteAllText(Path.Combine(folder, "file"), "two");
            Assert.Contains("size=1024k", Options(folder)); // and as it was otherwise
        }
        Directory.Delete(folder);
    }

    [Fact]
    public void FindDisk_APartition_GivesTheDiskItsFolderLiesIn()
    {
        using var tree = new DeviceTree();
        tree.Write("sys/devices/pci/block/nvme0n1/nvme0n1p2/partition", "2");
        Directory.CreateSymbolicLink(Path.Combine(tree.Root, "sys/class/block/nvme0n1p2"), "../../devices/pci/block/nvme0n1/nvme0n1p2");

        Assert.Equal("/dev/nvme0n1", new RunningSlot("a", "nvme0n1p2", "", true).FindDisk(tree.Root));
        Assert.Null(RunningSlot.Read(tree.Root + "/none").FindDisk(tree.Root));
    }

    private static string[] Options(string folder) => File.ReadLines("/proc/self/mountinfo").Single(line => line.Split(' ')[4] == folder).Split(" - ")[1].Split(' ')[2].Split(',');

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
