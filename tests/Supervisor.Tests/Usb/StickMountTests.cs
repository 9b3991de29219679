using System.Security.Cryptography;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Usb;

namespace Supervisor.Tests.Usb;

/// <summary>A real file system on a real block device.</summary>
public sealed class StickMountTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("stick-image");
    private readonly string _image, _loop;

    public StickMountTests()
    {
        if (!Environment.IsPrivilegedProcess || !File.Exists("/dev/loop-control")) Assert.Skip("loop devices need root");
        _image = Path.Combine(_folder.FullName, "image");
        var content = Directory.CreateDirectory(Path.Combine(_folder.FullName, "content")).FullName;
        File.WriteAllText(Path.Combine(content, "a.bundle"), "x");
        File.CreateSymbolicLink(Path.Combine(content, "link"), "a.bundle");
        StateDevice.Run("cp", "/bin/true", Path.Combine(content, "program"));
        StateDevice.Run("truncate", "-s", "8M", _image);
        StateDevice.Run("mkfs.ext4", "-q", "-d", content, _image);
        // As one that was pulled out while it was written to: mounting it the usual way would replay its journal.
        StateDevice.Run("debugfs", "-w", "-R", "feature needs_recovery", _image);
        _loop = StateDevice.Run("losetup", "--find", "--show", _image).Trim();
    }

    public void Dispose()
    {
        if (_loop is not null) StateDevice.Run("losetup", "--detach", _loop);
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void NothingOnIt_IsWrittenRunOrFollowed()
    {
        var before = SHA256.HashData(File.ReadAllBytes(_image));
        var mounts = File.ReadAllText("/proc/self/mountinfo");
        using (var stick = StickMount.Open(_loop))
        {
            Assert.Contains("a.bundle", Directory.EnumerateFiles(stick.Folder).Select(Path.GetFileName));
            Assert.Equal("x", File.ReadAllText(Path.Combine(stick.Folder, "a.bundle")));
            Assert.ThrowsAny<IOException>(() => File.WriteAllText(Path.Combine(stick.Folder, "new"), ""));
            Assert.ThrowsAny<IOException>(() => File.ReadAllText(Path.Combine(stick.Folder, "link")));
            Assert.ThrowsAny<System.ComponentModel.Win32Exception>(() => System.Diagnostics.Process.Start(Path.Combine(stick.Folder, "program")));
            Assert.Equal(mounts, File.ReadAllText("/proc/self/mountinfo"));
        }
        StateDevice.Run("sync");
        Assert.Equal(before, SHA256.HashData(File.ReadAllBytes(_image)));
    }

    [Fact]
    public void Refuses_WhatIsNoFileSystem()
    {
        StateDevice.Run("dd", "if=/dev/zero", $"of={_loop}", "bs=1M", "count=8", "status=none");

        Assert.Contains("ext4", Assert.Throws<IOException>(() => StickMount.Open(_loop)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutTheOptIn_TheVerbDoesNothing()
    {
        using var device = new DeviceTree();
        var options = new SupervisorOptions { Root = device.Root, BusAddress = "unix:path=/nowhere" };

        Assert.Equal(0, await UsbVerb.RunAsync("nothing", options, TestContext.Current.CancellationToken));
        device.Write("usr/lib/appliance/update.json", """{ "usb": false }""");
        Assert.Equal(0, await UsbVerb.RunAsync(Path.GetFileName(_loop), options, TestContext.Current.CancellationToken));
        device.Write("usr/lib/appliance/update.json", """{ "usb": true }""");
        Assert.Equal(1, await UsbVerb.RunAsync(Path.GetFileName(_loop), options, TestContext.Current.CancellationToken)); // there is no bus
    }
}
