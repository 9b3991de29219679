using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Flash;

namespace ImageBuilder.Tests.Flash;

/// <summary>Which disks are overwritten, and after which question.</summary>
public sealed class FlashDiskTests : IDisposable
{
    private const int MiB = 1 << 20;
    private readonly Temporary _folder = new();
    private readonly string _image;

    public FlashDiskTests() => _image = SomeDisk.Make(_folder["disk.img"]);

    public void Dispose() => _folder.Dispose();

    private static Task<UserError> RefusesAsync(params string[] arguments) => Assert.ThrowsAsync<UserError>(() => FlashTests.FlashAsync(arguments));

    /// <summary>Runs it on a terminal where somebody types.</summary>
    private static (int ExitCode, string Output) OnATerminal(string typed, params string[] arguments) =>
        Tool.Try(typed, "script", "--quiet", "--return", "--command", string.Join(' ', arguments.Prepend(Tool.Appliance).Select(argument => $"'{argument}'")), "/dev/null");

    private void Mounted(LoopDevice disk, Action<string> act)
    {
        Tool.Run("mkfs.ext4", "-q", disk.Path);
        var mountPoint = Directory.CreateDirectory(_folder["mnt"]).FullName;
        Tool.Run("mount", disk.Path, mountPoint);
        try
        {
            act(mountPoint);
        }
        finally
        {
            Tool.Try("", "umount", mountPoint);
        }
    }

    private bool IsFlashed(LoopDevice disk) => disk.Read(SomeDisk.DataStart, SomeDisk.DataLength).AsSpan().SequenceEqual(File.ReadAllBytes(_image).AsSpan(SomeDisk.DataStart, SomeDisk.DataLength));

    [Fact]
    public void Flash_ToAMountedDisk_IsRefused_UnlessItsNameIsGiven()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB);
        Mounted(disk, mountPoint =>
        {
            var refused = Tool.Try("", Tool.Appliance, "flash", _image, disk.Path, "--yes");
            Assert.Equal(2, refused.ExitCode);
            Assert.Contains($"{mountPoint} is mounted from it", refused.Output, StringComparison.Ordinal);
            Assert.Contains($"--force {disk.Name}", refused.Output, StringComparison.Ordinal);
            Assert.Equal(2, Tool.Try("", Tool.Appliance, "flash", _image, disk.Path, "--yes", "--force", "sda").ExitCode);
            Assert.False(IsFlashed(disk));

            Tool.Run(Tool.Appliance, "flash", _image, disk.Path, "--force", disk.Name);
            Assert.True(IsFlashed(disk));
            Assert.DoesNotContain(mountPoint, File.ReadAllText("/proc/self/mountinfo"), StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Flash_ToADiskThatIsSwappedTo_IsRefused_UnlessItsNameIsTyped()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB);
        Tool.Run("mkswap", disk.Path);
        Tool.Run("swapon", disk.Path);
        try
        {
            var refused = Tool.Try("", Tool.Appliance, "flash", _image, disk.Path, "--yes");
            Assert.Equal(2, refused.ExitCode);
            Assert.Contains("is in use as swap", refused.Output, StringComparison.Ordinal);
            Assert.False(IsFlashed(disk));

            var forced = OnATerminal($"{disk.Name}\n", "flash", _image, disk.Path);
            Assert.True(forced.ExitCode == 0, forced.Output);
            Assert.True(IsFlashed(disk));
            Assert.DoesNotContain(disk.Path, File.ReadAllText("/proc/swaps"), StringComparison.Ordinal);
        }
        finally
        {
            Tool.Try("", "swapoff", disk.Path);
        }
    }

    [Fact]
    public void Flash_OnATerminal_AsksForTheExactName()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB);
        Mounted(disk, mountPoint =>
        {
            var wrong = OnATerminal("yes\n", "flash", _image, disk.Path);
            Assert.Equal(2, wrong.ExitCode);
            Assert.Contains("Danger", wrong.Output, StringComparison.Ordinal);
            Assert.Contains("Nothing was written", wrong.Output, StringComparison.Ordinal);
            Assert.False(IsFlashed(disk));

            var right = OnATerminal($"{disk.Name}\n", "flash", _image, disk.Path);
            Assert.True(right.ExitCode == 0, right.Output);
            Assert.True(IsFlashed(disk));
        });
    }

    [Fact]
    public void Flash_OnATerminalWithoutADevice_ListsDisks_AndTakesTheNameTyped()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB);
        Tool.RunWithInput("label: gpt\nsize=4MiB, name=holidays\n", "sfdisk", "--quiet", disk.Path);

        var (exitCode, output) = OnATerminal($"{disk.Name}\n{disk.Name}\n", "flash", _image, "--all");

        Assert.True(exitCode == 0, output);
        Assert.Matches($@"(?m)^{disk.Name} .*32 MiB", output);
        Assert.Contains("the running system", output, StringComparison.Ordinal);
        Assert.Matches(@"write: 1\S* MiB of 1\S* MiB, .*/s", output);
        Assert.True(IsFlashed(disk));
    }

    [Fact]
    public void Flash_WithoutADeviceAndATerminal_ListsDisks_AndSaysHowToGoOn()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB);

        var (exitCode, output) = Tool.Try("", Tool.Appliance, "flash", _image, "--all", "--json");

        Assert.Equal(2, exitCode);
        var disks = JsonNode.Parse(output.Split('\n')[0])!["disks"]!.AsArray();
        Assert.Equal(32 * MiB, (long)disks.Single(listed => (string?)listed!["path"] == disk.Path)!["size"]!);
        Assert.Contains("no device was named", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Flash_WithoutYesAndATerminal_IsRefused()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB);

        var (exitCode, output) = Tool.Try("", Tool.Appliance, "flash", _image, disk.Path);

        Assert.Equal(2, exitCode);
        Assert.Contains("Add --yes", output, StringComparison.Ordinal);
        Assert.Contains("a loop device, 32 MiB", output, StringComparison.Ordinal);
        await FlashTests.FlashAsync(_image, disk.Path, "--yes");
    }

    [Fact]
    public async Task Flash_ToAWriteProtectedDisk_IsRefused_WhateverIsForced()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB, "--read-only");

        Assert.Contains("write-protected", (await RefusesAsync(_image, disk.Path, "--force", disk.Name)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Flash_ToADiskOfLargerSectors_IsRefused()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB, "--sector-size", "4096");

        Assert.Contains("sectors of 4096 bytes", (await RefusesAsync(_image, disk.Path, "--yes")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Flash_ToADiskThatAnotherProgramHas_IsRefused()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB);
        using var other = TargetDevice.OpenDisk(await DiskList.FindAsync(disk.Path, TestContext.Current.CancellationToken), inUse: false);

        Assert.Contains("another program has it", (await RefusesAsync(_image, disk.Path, "--yes")).Message, StringComparison.Ordinal);
        // Whoever flashes it at this moment has it locked, too.
        Assert.Contains("is locked", (await RefusesAsync(_image, disk.Path, "--force", disk.Name)).Message, StringComparison.Ordinal);
        Assert.False(IsFlashed(disk));
    }

    /// <summary>Somebody sees that it is the wrong card, takes it out, puts another one in, and agrees.</summary>
    [Fact]
    public async Task Open_ADiskThatIsAnotherNow_IsRefused()
    {
        FlashDisk seen;
        using (var first = new LoopDevice(_folder["first"], 32 * MiB))
        {
            seen = await DiskList.FindAsync(first.Path, TestContext.Current.CancellationToken);
            Assert.NotNull(seen.Sequence);
            using (TargetDevice.OpenDisk(seen, inUse: false))
                Assert.Equal(32 * MiB, seen.Size);
        }
        using var second = new LoopDevice(_folder["second"], 32 * MiB);
        Assert.SkipUnless(second.Path == seen.Path, "the second disk has got another name");

        Assert.Contains("is another disk now", Assert.Throws<UserError>(() => TargetDevice.OpenDisk(seen, inUse: false)).Message, StringComparison.Ordinal);
        var again = await DiskList.FindAsync(second.Path, TestContext.Current.CancellationToken);
        Assert.Contains("is another disk now", Assert.Throws<UserError>(() => TargetDevice.OpenDisk(again with { Size = 16 * MiB }, inUse: false)).Message, StringComparison.Ordinal);
        TargetDevice.OpenDisk(again, inUse: false).Dispose();
    }

    /// <summary>Lists and questions call it so.</summary>
    [Fact]
    public async Task Flash_ToADisksNameAlone_IsNotAFile()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB);

        Assert.Contains($"Name the disk as {disk.Path}", (await RefusesAsync(_image, disk.Name, "--yes")).Hint, StringComparison.Ordinal);
        Assert.False(File.Exists(disk.Name));
        Assert.Contains("is empty", (await RefusesAsync(_image, "")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Flash_ByALinkToTheDisk_FindsIt()
    {
        using var disk = new LoopDevice(_folder["device"], 32 * MiB);
        var link = $"/dev/appliance-test-{Guid.NewGuid():N}";
        File.CreateSymbolicLink(link, disk.Path);
        try
        {
            await FlashTests.FlashAsync(_image, link, "--yes");
        }
        finally
        {
            File.Delete(link);
        }
        Assert.True(IsFlashed(disk));
    }

    [Theory]
    [InlineData("/dev/null")]
    [InlineData("/dev/no-such-disk")]
    public async Task Flash_ToWhatIsNoDisk_IsRefused(string device) =>
        Assert.Contains("is not a disk", (await RefusesAsync(_image, device, "--yes")).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Flash_ToTheDiskOfTheRunningSystem_IsRefused()
    {
        var device = File.ReadLines("/proc/self/mountinfo").Select(line => line.Split(' ')).First(fields => fields[4] == "/")[2];
        var uevent = $"/sys/dev/block/{device}/uevent";
        Assert.SkipUnless(File.Exists(uevent), "the root file system is on no block device here");
        var name = File.ReadLines(uevent).First(line => line.StartsWith("DEVNAME=", StringComparison.Ordinal))[8..];
        Assert.SkipWhen(File.Exists($"/sys/class/block/{name}/partition"), "the root file system is on a partition here");

        Assert.Contains("the running system is on it", (await RefusesAsync(_image, $"/dev/{name}", "--yes")).Message, StringComparison.Ordinal);
    }

    /// <summary>What lsblk of util-linux 2.38 prints on a laptop: an encrypted system, a stick that a desktop has mounted, an eMMC, a reader without a card.</summary>
    private const string Laptop = """
        {"blockdevices":[
          {"name":"nvme0n1","path":"/dev/nvme0n1","maj:min":"259:0","type":"disk","size":512110190592,"vendor":null,"model":"SAMSUNG MZVLB512","tran":"nvme","rm":false,"hotplug":false,"ro":false,"log-sec":512,"fstype":null,"label":null,"partlabel":null,"mountpoints":[null],
           "children":[{"name":"nvme0n1p2","path":"/dev/nvme0n1p2","maj:min":"259:2","type":"part","size":511000000000,"vendor":null,"model":null,"tran":"nvme","rm":false,"hotplug":false,"ro":false,"log-sec":512,"fstype":"crypto_LUKS","label":null,"partlabel":"system","mountpoints":[null],
             "children":[{"name":"luks-1","path":"/dev/mapper/luks-1","maj:min":"253:0","type":"crypt","size":511000000000,"vendor":null,"model":null,"tran":null,"rm":false,"hotplug":false,"ro":false,"log-sec":512,"fstype":"ext4","label":"root","partlabel":null,"mountpoints":["/"]}]}]},
          {"name":"sdb","path":"/dev/sdb","maj:min":"8:16","type":"disk","size":31004295168,"vendor":"SanDisk ","model":"Ultra Fit","tran":"usb","rm":true,"hotplug":true,"ro":false,"log-sec":512,"fstype":null,"label":null,"partlabel":null,"mountpoints":[null],
           "children":[{"name":"sdb1","path":"/dev/sdb1","maj:min":"8:17","type":"part","size":31003246592,"vendor":null,"model":null,"tran":null,"rm":true,"hotplug":true,"ro":false,"log-sec":512,"fstype":"vfat","label":"PHOTOS","partlabel":null,"mountpoints":["/media/ada/PHOTOS"]}]},
          {"name":"mmcblk7","path":"/dev/mmcblk7","maj:min":"179:0","type":"disk","size":31268536320,"vendor":null,"model":null,"tran":"mmc","rm":false,"hotplug":true,"ro":false,"log-sec":512,"fstype":null,"label":null,"partlabel":null,"mountpoints":[null]},
          {"name":"sdc","path":"/dev/sdc","maj:min":"8:32","type":"disk","size":0,"vendor":"Generic","model":"SD/MMC","tran":"usb","rm":true,"hotplug":true,"ro":false,"log-sec":512,"fstype":null,"label":null,"partlabel":null,"mountpoints":[null]}]}
        """;

    [Fact]
    public void Parse_OfALaptopsDisks_TellsWhatMayBeOverwritten()
    {
        var disks = DiskList.Parse(Laptop);

        var (system, stick, builtIn, reader) = (disks[0], disks[1], disks[2], disks[3]);
        Assert.True(system.IsSystem);
        Assert.False(system.IsRemovable);
        Assert.Contains("the running system is on it", system.Dangers().First().What, StringComparison.Ordinal);
        Assert.True(stick.IsRemovable);
        Assert.False(stick.IsSystem);
        Assert.Equal("SanDisk Ultra Fit, 28.9 GiB", stick.Description);
        Assert.Equal(["PHOTOS vfat"], stick.Contents);
        Assert.Contains("/media/ada/PHOTOS is mounted", Assert.Single(stick.Dangers()).What, StringComparison.Ordinal);
        Assert.False(builtIn.IsRemovable);
        Assert.Contains("is built in", Assert.Single(builtIn.Dangers()).What, StringComparison.Ordinal);
        Assert.Equal(0, reader.Size);
    }
}
