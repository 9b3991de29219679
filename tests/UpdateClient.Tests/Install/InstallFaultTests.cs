using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Tuf;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Sources;

namespace UpdateClient.Tests.Install;

/// <summary>One error each, which says what to do.</summary>
public sealed class InstallFaultTests : IDisposable
{
    private readonly UpdateScene _scene = new();

    public void Dispose() => _scene.Dispose();

    private async Task<UserError> FailAsync(TargetSlot? slot = null, UpdateOptions? options = null)
    {
        var error = await Assert.ThrowsAsync<UserError>(() => _scene.InstallAsync(slot: slot, options: options));
        Assert.NotNull(error.Hint);
        return error;
    }

    [Fact]
    public async Task Refuses_ExpiredMetadata()
    {
        await _scene.PublishVersionAsync("1.1", 8192);
        _scene.Time.Now += TimeSpan.FromDays(30);

        Assert.Contains("expired", (await FailAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_ARepositoryOfAnotherRoot()
    {
        await _scene.PublishVersionAsync("1.1", 8192);
        using var other = new UpdateScene();
        await other.PublishVersionAsync("1.1", 8192);

        var error = await Assert.ThrowsAsync<UserError>(() => _scene.InstallAsync(new FolderSource(other.Repository)));

        Assert.Contains("updates.root", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_WhatIsForAnotherDevice()
    {
        await _scene.PublishVersionAsync("1.1", 8192);
        var own = _scene.Device;
        foreach (var (device, word) in new[] { (own with { Id = "kiosk" }, "another image"), (own with { Board = "pi" }, "another board"), (own with { Architecture = "arm64" }, "another architecture") })
        {
            _scene.Device = device;
            Assert.Contains(word, (await FailAsync()).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Refuses_AnOlderVersion_UnlessForced()
    {
        await _scene.PublishVersionAsync("0.9", 8192);
        Assert.Contains("older than 1.0", (await FailAsync(options: new UpdateOptions { StateFolder = "", Version = "0.9" })).Message, StringComparison.Ordinal);

        await _scene.InstallAsync(options: new UpdateOptions { StateFolder = "", Version = "0.9", Force = true });

        _scene.AssertInstalled("0.9");
    }

    [Fact]
    public async Task Refuses_AVersionThatNeedsAnotherFirst_AndTakesTheStepBetween()
    {
        await _scene.PublishVersionAsync("2.0", 8192, change: header => header with { MinimumVersion = "1.5" });
        Assert.Contains("from 1.5 on", (await FailAsync()).Message, StringComparison.Ordinal);
        await _scene.PublishVersionAsync("1.5", 8192);

        await _scene.InstallAsync();

        _scene.AssertInstalled("1.5");
    }

    [Fact]
    public async Task Refuses_ANewerReleaseFormat()
    {
        await _scene.PublishVersionAsync("1.1", 8192);
        PublishChanged(release => release["format"] = 2);

        var error = await FailAsync();

        Assert.Contains("format 2", error.Message, StringComparison.Ordinal);
        Assert.Contains("Update this program", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_AReleaseWhoseManifestIsThatOfAnotherBundle()
    {
        await _scene.PublishVersionAsync("1.1", 8192);
        PublishChanged(release => release["header"]!["salt"] = "ffff");

        Assert.Contains("another bundle", (await FailAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_AWrongRootHash_AndLeavesTheSlotEmpty()
    {
        await _scene.PublishVersionAsync("1.1", 8192, change: header => header with { RootHash = new string('a', 64) });

        Assert.Contains("root hash", (await FailAsync()).Message, StringComparison.Ordinal);
        _scene.AssertEmpty();
    }

    [Fact]
    public async Task Refuses_ATargetThatIsTooSmall_BeforeAnythingIsTouched()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        await File.WriteAllTextAsync(_scene["slot-label"], "edge_0.9\n");
        var emptied = false;

        Assert.Contains("have to be written", (await FailAsync(_scene.Slot with { Emptied = () => emptied = true, Root = new SlotRegion(_scene["slot-root"], 0, 4096) })).Message, StringComparison.Ordinal);
        Assert.Contains("have to be written", (await FailAsync(_scene.Slot with { Verity = new SlotRegion(_scene["slot-verity"], 0, 4096) })).Message, StringComparison.Ordinal);
        Assert.Equal("edge_0.9", File.ReadLines(_scene["slot-label"]).First());
        Assert.False(emptied);
    }

    [Fact]
    public async Task Refuses_ABootPartitionThatIsTooSmall_BeforeAnythingIsTouched()
    {
        await _scene.PublishVersionAsync("1.1", 8192);
        await File.WriteAllTextAsync(_scene["slot-label"], "edge_0.9\n");
        var esp = Directory.CreateDirectory(_scene["small"]).FullName;
        if (await RunAsync("mount", "-t", "tmpfs", "-o", "size=256k", "none", esp) != 0) Assert.Skip("a small file system takes the right to mount one");
        try
        {
            Assert.Contains("The boot partition has room for 256", (await FailAsync(_scene.Slot with { Uki = Path.Combine(esp, "edge.efi") })).Message, StringComparison.Ordinal);
            Assert.Equal("edge_0.9", File.ReadLines(_scene["slot-label"]).First());

            // What goes makes room.
            await File.WriteAllBytesAsync(Path.Combine(esp, "old.efi"), new byte[200 << 10]);
            Assert.Contains("The boot partition has room for 256", (await FailAsync(_scene.Slot with { Uki = Path.Combine(esp, "edge.efi"), OldUkis = [Path.Combine(esp, "old.efi")] })).Message, StringComparison.Ordinal);
        }
        finally
        {
            await RunAsync("umount", esp);
        }
    }

    [Fact]
    public async Task Refuses_AReadOnlyTarget()
    {
        await _scene.PublishVersionAsync("1.1", 8192);

        // A file of sysfs that not even root may write.
        var error = await FailAsync(_scene.Slot with { Root = new SlotRegion("/sys/kernel/fscaps", 0, 1 << 20) });

        Assert.Contains("cannot be written", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_ABootPartitionThatIsReadOnly_AndSaysSo()
    {
        await _scene.PublishVersionAsync("1.1", 8192);
        var esp = Directory.CreateDirectory(_scene["read-only"]).FullName;
        var old = Path.Combine(esp, "old.efi");
        if (await RunAsync("mount", "-t", "tmpfs", "none", esp) != 0) Assert.Skip("a read-only file system takes the right to mount one");
        try
        {
            await File.WriteAllTextAsync(old, "the entry that is to go");
            Assert.Equal(0, await RunAsync("mount", "-o", "remount,ro", esp));

            var error = await FailAsync(_scene.Slot with { OldUkis = [old] });

            Assert.Contains("The boot entry", error.Message, StringComparison.Ordinal);
            Assert.Contains("Read-only", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            await RunAsync("umount", esp);
        }
    }

    private static async Task<int> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    [Fact]
    public async Task Refuses_ATargetThatIsNotThere()
    {
        await _scene.PublishVersionAsync("1.1", 8192);

        Assert.Contains("There is no /dev/none", (await FailAsync(_scene.Slot with { Root = new SlotRegion("/dev/none") })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DiskFull_OfTheTarget_SaysSo()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);

        var error = await FailAsync(_scene.Slot with { Root = new SlotRegion("/dev/full", 0, 1 << 20) });

        Assert.Contains("/dev/full is full", error.Message, StringComparison.Ordinal);
        _scene.AssertEmpty();
    }

    [Fact]
    public async Task DiskFull_OfTheStateFolder_SaysSo()
    {
        await _scene.PublishVersionAsync("1.1", 8192);
        Directory.CreateDirectory(_scene["state"]);
        if (await RunAsync("mount", "-t", "tmpfs", "-o", "size=64k", "none", _scene["state"]) != 0) Assert.Skip("a full file system takes the right to mount one");
        try
        {
            using (var fill = new FileStream(Path.Combine(_scene["state"], "fill"), FileMode.Create, FileAccess.Write, FileShare.None, 1))
            {
                Assert.Throws<IOException>(() => fill.Write(new byte[1 << 20]));
            }

            Assert.Contains("cannot be written", (await FailAsync()).Message, StringComparison.Ordinal);
        }
        finally
        {
            await RunAsync("umount", _scene["state"]);
        }
    }

    [Fact]
    public async Task Refuses_WhatIsNoRepository()
    {
        Directory.CreateDirectory(_scene["other"]);

        var error = await Assert.ThrowsAsync<UserError>(() => _scene.InstallAsync(new FolderSource(_scene["other"])));

        Assert.NotNull(error.Hint);
    }

    [Fact]
    public async Task Refuses_ASecondInstallationAtTheSameTime()
    {
        await _scene.PublishVersionAsync("1.1", 8192);
        Directory.CreateDirectory(_scene["state"]);
        using var other = new FileStream(Path.Combine(_scene["state"], "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);

        Assert.Contains("under way", (await FailAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_AChannelThatIsNotThere()
    {
        await _scene.PublishVersionAsync("1.1", 8192);

        var error = await Assert.ThrowsAsync<UserError>(() => _scene.InstallAsync(channel: "nightly"));

        Assert.Contains("nightly", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Publishes the release again, changed and signed: a publisher that is wrong, or newer.</summary>
    private void PublishChanged(Action<JsonObject> change)
    {
        using var writer = _scene.Writer();
        var target = writer.TargetsOf("stable").Single();
        var release = JsonNode.Parse(File.ReadAllBytes(Path.Combine(_scene.Repository, target.PathInRepository(true))))!.AsObject();
        change(release);
        var bytes = Encoding.UTF8.GetBytes(release.ToJsonString());
        var changed = TargetFile.Of(target.Path, bytes, target.Custom);
        File.WriteAllBytes(Path.Combine(_scene.Repository, changed.PathInRepository(true)), bytes);
        writer.SetTarget("stable", changed);
        writer.Commit();
    }
}
