using System.Diagnostics;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Images;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Sources;
using UpdateClient.Tests.Sources;

namespace UpdateClient.Tests.Install;

public sealed class InstallTests : IDisposable
{
    private static readonly HttpSourceOptions Quick = new() { FirstPause = TimeSpan.FromMilliseconds(2), LongestPause = TimeSpan.FromMilliseconds(50), Tries = 3 };
    private readonly UpdateScene _scene = new();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public async Task Install_SaysWhenTheSlotHoldsNothingThatBoots_BeforeItWritesIntoIt()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        var old = Path.Combine(Path.GetDirectoryName(_scene.Slot.Uki)!, "edge_0.9+3.efi");
        Directory.CreateDirectory(Path.GetDirectoryName(old)!);
        await File.WriteAllTextAsync(old, "old", TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(_scene["slot-root"], new byte[2 << 20], TestContext.Current.CancellationToken);
        var seen = new List<(bool Old, string Label, byte First)>();
        void Look() => seen.Add((File.Exists(old), File.ReadLines(_scene["slot-label"]).First(), File.ReadAllBytes(_scene["slot-root"])[1024]));

        await _scene.InstallAsync(slot: _scene.Slot with { OldUkis = [old], Emptied = Look });

        Assert.Equal([(false, "_empty", (byte)0)], seen);
        _scene.AssertInstalled("1.1");
    }

    [Fact]
    public async Task Install_TheWholePayload_FillsTheSlot_AndTheTreeIsVeritysetups()
    {
        await _scene.PublishVersionAsync("1.1");

        var result = await _scene.InstallAsync();

        _scene.AssertInstalled("1.1");
        Assert.Equal("1.1", result.Version);
        Assert.Empty(result.Warnings);
        if (!File.Exists("/usr/sbin/veritysetup")) return;
        var (root, verity) = (File.ReadLines(_scene["slot-label"]).ElementAt(1), File.ReadLines(_scene["slot-label"]).ElementAt(2));
        using var tool = Process.Start(new ProcessStartInfo("/usr/sbin/veritysetup", ["verify", _scene["slot-root"], _scene["slot-verity"], (root + verity).Replace("-", "")]) { RedirectStandardError = true })!;
        await tool.WaitForExitAsync();
        Assert.Equal(0, tool.ExitCode);
        using var dump = Process.Start(new ProcessStartInfo("/usr/sbin/veritysetup", ["dump", _scene["slot-verity"]]) { RedirectStandardOutput = true })!;
        Assert.Contains(ImageIdentity.NameBased("edge", "verity").ToString(), await dump.StandardOutput.ReadToEndAsync(), StringComparison.Ordinal);
    }

    /// <summary>Whoever is told of progress may be gone once the installation is over.</summary>
    [Fact]
    public async Task Install_Ends_WhenNobodyIsBeingToldOfItsProgress()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        var time = new SlowlyEndingTime(_scene.Time);

        var install = _scene.InstallAsync(options: new UpdateOptions { StateFolder = "", Time = time });

        Assert.Same(time.Ending, await Task.WhenAny(time.Ending, install));
        Assert.False(install.IsCompleted);
        time.End();
        await install;
    }

    [Fact]
    public async Task Check_AfterTheInstallation_IsUpToDate()
    {
        await _scene.PublishVersionAsync("1.1");
        _scene.Device = _scene.Device with { Version = "1.1" };

        var check = await _scene.Installer(new FolderSource(_scene.Repository)).CheckAsync("stable", CancellationToken.None);

        Assert.Equal((UpdateVerdict.UpToDate, "1.1"), (check.Verdict, check.Offer?.Version));
    }

    [Fact]
    public async Task Check_OfSeveralVersions_TakesTheNewest_OrTheOneWanted()
    {
        foreach (var version in new[] { "1.9", "1.10", "1.10~rc1" }) await _scene.PublishVersionAsync(version, 8192);
        async Task<string?> ChooseAsync(UpdateOptions? options = null) => (await _scene.Installer(new FolderSource(_scene.Repository), options).CheckAsync("stable", CancellationToken.None)).Offer?.Version;

        Assert.Equal("1.10", await ChooseAsync());
        Assert.Equal("1.9", await ChooseAsync(new UpdateOptions { StateFolder = "", Version = "1.9" }));
    }

    [Fact]
    public async Task Check_WhileTheRolloutIsElsewhere_Waits_AndAWiderRolloutOnlyAddsDevices()
    {
        await _scene.PublishVersionAsync("1.1", 8192, options: options => options with { Rollout = 0 });
        var bundle = _scene["edge_1.1.bundle"];
        var reached = new HashSet<string>();
        foreach (var rollout in new[] { 0, 20, 60, 100 })
        {
            await _scene.PublishAsync(bundle, options => options with { Rollout = rollout });
            var now = new HashSet<string>();
            for (var device = 0; device < 40; device++)
            {
                _scene.Device = _scene.Device with { DeviceId = $"device-{device}" };
                var check = await _scene.Installer(new FolderSource(_scene.Repository)).CheckAsync("stable", CancellationToken.None);
                if (check.Verdict == UpdateVerdict.Available) now.Add(_scene.Device.DeviceId);
                else Assert.Equal(UpdateVerdict.Waiting, check.Verdict);
            }
            Assert.Superset(reached, now);
            Assert.InRange(now.Count, rollout * 40 / 100 - 10, rollout * 40 / 100 + 10);
            reached = now;
        }
        Assert.Equal(40, reached.Count);
    }

    [Fact]
    public async Task Install_OverTheNetworkThroughEveryKindOfFault_IsByteIdentical()
    {
        await _scene.PublishVersionAsync("1.1", 30 << 20);
        await using var server = new FaultyServer(_scene.Repository);
        server.Spoil = request => !request.Path.StartsWith("objects/", StringComparison.Ordinal) ? null : (request.Number % 6) switch
        {
            0 => new FaultyServer.Fault { CutAfter = 70_000 },
            2 => new FaultyServer.Fault { Status = 503 },
            4 => new FaultyServer.Fault { AnnouncedRange = "1-2" },
            _ => null,
        };
        using var source = new HttpSource(server.Address, Quick with { Tries = 10 });

        await _scene.InstallAsync(source);

        _scene.AssertInstalled("1.1");
    }

    [Fact]
    public async Task Install_FromAServerThatCorruptsNowAndThen_FetchesAgain()
    {
        await _scene.PublishVersionAsync("1.1", 30 << 20);
        await using var server = new FaultyServer(_scene.Repository);
        var spoilt = new HashSet<long>();
        server.Spoil = request =>
        {
            // Every second frame comes damaged the first time.
            lock (spoilt) return request.From is { } from && request.Number % 2 == 0 && spoilt.Add(from) ? new FaultyServer.Fault { Corrupt = body => body[body.Length / 2] ^= 1 } : null;
        };
        using var source = new HttpSource(server.Address, Quick);

        await _scene.InstallAsync(source);

        _scene.AssertInstalled("1.1");
    }

    [Fact]
    public async Task Install_FromAServerThatAlwaysCorrupts_GivesUp_AndLeavesTheSlotEmpty()
    {
        await _scene.PublishVersionAsync("1.1");
        await using var server = new FaultyServer(_scene.Repository);
        server.Spoil = request => request.From is not null ? new FaultyServer.Fault { Corrupt = body => body[body.Length / 2] ^= 1 } : null;
        using var source = new HttpSource(server.Address, Quick);

        var error = await Assert.ThrowsAsync<UserError>(() => _scene.InstallAsync(source));

        Assert.Contains("not what the manifest says", error.Message, StringComparison.Ordinal);
        _scene.AssertEmpty();
    }

    [Fact]
    public async Task Install_FromAServerWithoutRanges_Works()
    {
        await _scene.PublishVersionAsync("1.1");
        await using var server = new FaultyServer(_scene.Repository) { Spoil = _ => new FaultyServer.Fault { IgnoreRange = true } };
        using var source = new HttpSource(server.Address, Quick);

        await _scene.InstallAsync(source);

        _scene.AssertInstalled("1.1");
    }

    [Fact]
    public async Task Install_AfterAnInterruption_FetchesOnlyTheRest()
    {
        await _scene.PublishVersionAsync("1.1", 30 << 20);
        await using var server = new FaultyServer(_scene.Repository);
        var fail = true;
        server.Spoil = request => fail && request.From is not null && server.Sent > 8_000_000 ? new FaultyServer.Fault { Status = 503 } : null;
        using (var source = new HttpSource(server.Address, Quick)) await Assert.ThrowsAsync<UserError>(() => _scene.InstallAsync(source));
        _scene.AssertEmpty();
        var first = server.Sent;
        fail = false;

        using (var source = new HttpSource(server.Address, Quick)) await _scene.InstallAsync(source);

        _scene.AssertInstalled("1.1");
        // Some requests had been answered and not yet written when the others failed: no more than the window of them.
        Assert.InRange(server.Sent, first, new FileInfo(_scene["edge_1.1.bundle"]).Length + Quick.Window + 100_000);
    }

    /// <summary>A power cut left a sector of the target that cannot be read; writing it mends it.</summary>
    [Fact]
    public async Task Install_OverASectorThatCannotBeRead_GoesOnFromIt()
    {
        const int size = 20 << 20;
        await _scene.PublishVersionAsync("1.1", size);
        await File.WriteAllBytesAsync(_scene["slot-root"], new byte[size]);
        using var disk = new BadDisk(_scene["slot-root"]);
        var slot = _scene.Slot with { Root = new SlotRegion(disk.Device) };
        await using var server = new FaultyServer(_scene.Repository);
        var fail = true;
        server.Spoil = request => fail && request.From is not null && server.Sent > 8_000_000 ? new FaultyServer.Fault { Status = 503 } : null;
        using (var source = new HttpSource(server.Address, Quick)) await Assert.ThrowsAsync<UserError>(() => _scene.InstallAsync(source, slot: slot));
        disk.Cut(3 << 20);
        fail = false;

        using (var source = new HttpSource(server.Address, Quick)) await _scene.InstallAsync(source, slot: slot);

        _scene.AssertInstalled("1.1");
    }

    [Fact]
    public async Task Install_OverDamagedWindows_WritesFromTheFirstOfThemOn()
    {
        await _scene.PublishVersionAsync("1.1", 20 << 20);
        await _scene.InstallAsync(change: plan =>
        {
            // A run that got to the end of the root file system and no further.
            InstallJournal.For(plan, _scene.Slot).Write(Directory.CreateDirectory(_scene["state"]).FullName);
            var bytes = File.ReadAllBytes(_scene.Plain("1.1", "root.erofs"));
            bytes[9 << 20] ^= 1;
            File.WriteAllBytes(_scene["slot-root"], bytes);
            return plan;
        });

        _scene.AssertInstalled("1.1");
    }

    [Fact]
    public async Task Install_WhatIsThereAlready_FetchesNothing()
    {
        await _scene.PublishVersionAsync("1.1");
        var result = await _scene.InstallAsync(change: plan =>
        {
            InstallJournal.For(plan, _scene.Slot).Write(Directory.CreateDirectory(_scene["state"]).FullName);
            File.Copy(_scene.Plain("1.1", "root.erofs"), _scene["slot-root"]);
            return plan;
        });

        _scene.AssertInstalled("1.1");
        Assert.Equal("present", result.Ways["root.erofs"]);
    }

    [Fact]
    public async Task Install_AnotherVersionThanTheInterruptedOne_BeginsAnew()
    {
        await _scene.PublishVersionAsync("1.1", 20 << 20);
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _scene.InstallAsync(new CancellingSource(new FolderSource(_scene.Repository), cancel, 5 << 20), cancellationToken: cancel.Token));
        await _scene.PublishVersionAsync("1.2", 20 << 20);

        await _scene.InstallAsync();

        _scene.AssertInstalled("1.2");
    }

    [Fact]
    public async Task Install_IntoPartitionsOfADiskImage_MarksThemAsTheBuilderDoes()
    {
        await _scene.PublishVersionAsync("1.1", 5 << 20);
        const long mib = 1 << 20;
        await using (var image = File.Create(_scene["disk.img"])) image.SetLength(64 * mib);
        const string script = "label: gpt\nunit: sectors\n\nstart=2048, size=20480, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, name=\"edge_1.0\"\nstart=22528, size=20480, type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5, name=\"edge_1.0\"\n";
        await SfdiskAsync(script, _scene["disk.img"]);
        var slot = _scene.Slot with
        {
            Root = new SlotRegion(_scene["disk.img"], 2048 * 512, 10 * mib),
            Verity = new SlotRegion(_scene["disk.img"], 22528 * 512, 10 * mib),
            Marker = new GptSlotMarker(_scene["disk.img"], "edge", 1, 2),
        };
        var during = "";
        var source = new CallbackSource(new FolderSource(_scene.Repository), async () => during = await SfdiskAsync(null, "--dump", _scene["disk.img"]));

        await _scene.InstallAsync(source, slot: slot);

        Assert.Equal(2, during.Split("name=\"_empty\"").Length - 1);
        var table = await SfdiskAsync(null, "--dump", _scene["disk.img"]);
        var manifest = (await BundleReader.OpenAsync(File.OpenRead(_scene["edge_1.1.bundle"]), "", CancellationToken.None)).Manifest;
        var (root, verity) = ImageIdentity.PartitionIds(manifest.Header.RootHash!);
        Assert.Equal(2, table.Split("name=\"edge_1.1\"").Length - 1);
        Assert.Contains($"uuid={root}", table, StringComparison.OrdinalIgnoreCase);
        Assert.Contains($"uuid={verity}", table, StringComparison.OrdinalIgnoreCase);
        var (disk, plain) = (await File.ReadAllBytesAsync(_scene["disk.img"]), await File.ReadAllBytesAsync(_scene.Plain("1.1", "root.erofs")));
        Assert.True(disk.AsSpan(2048 * 512, 5 << 20).SequenceEqual(plain));
    }

    [Fact]
    public async Task Cancel_DuringTheInstallation_EndsWithinASecond_AndKeepsWhatWasWritten()
    {
        await _scene.PublishVersionAsync("1.1", 30 << 20);
        await using var server = new FaultyServer(_scene.Repository);
        server.Spoil = request => request.From is not null && server.Sent > 8_000_000 ? new FaultyServer.Fault { Stall = true } : null;
        using var source = new HttpSource(server.Address, Quick);
        using var cancel = new CancellationTokenSource();
        var installing = _scene.InstallAsync(source, cancellationToken: cancel.Token);
        while (server.Sent < 8_000_000) await Task.Yield();
        var clock = Stopwatch.StartNew();

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => installing);

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(1), $"it took {clock.Elapsed}");
        _scene.AssertEmpty();
    }

    private static async Task<string> SfdiskAsync(string? input, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("sfdisk", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        await process.StandardInput.WriteAsync(input ?? "");
        process.StandardInput.Close();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await process.StandardError.ReadToEndAsync());
        return output;
    }

    /// <summary>A clock whose timers are at work when they are to end.</summary>
    private sealed class SlowlyEndingTime(TimeProvider clock) : TimeProvider
    {
        private readonly TaskCompletionSource _ending = new(), _ended = new();

        public Task Ending => _ending.Task;

        public void End() => _ended.SetResult();

        public override DateTimeOffset GetUtcNow() => clock.GetUtcNow();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Working(this);

        private sealed class Working(SlowlyEndingTime time) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public async ValueTask DisposeAsync()
            {
                time._ending.SetResult();
                await time._ended.Task;
            }
        }
    }
}
