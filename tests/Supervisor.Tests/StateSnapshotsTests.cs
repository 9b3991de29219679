using Appliance.Supervisor.State;
using Appliance.Supervisor.Updates;

namespace Supervisor.Tests;

/// <summary>What belongs to a version goes back with it.</summary>
public sealed class StateSnapshotsTests : IDisposable
{
    private readonly StateDevice _device = new();
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _device.Dispose();

    private async Task BootAsync(string version)
    {
        _device.Boots(version);
        await _device.Snapshots().RunAtBootAsync(Token);
    }

    /// <summary>An update as far as the first try of the new version.</summary>
    private async Task TryNewVersionAsync()
    {
        await BootAsync(StateDevice.Old);
        _device.Install();
        await BootAsync(StateDevice.New);
        _device.NewVersionRuns();
    }

    [Fact]
    public async Task ConfigMigratedByTheNewVersion_IsTheOldOnesAgainAfterTheRollback()
    {
        await TryNewVersionAsync();
        Assert.Equal("schema: 2\n", _device.Read("var/lib/appliance/etc/shop/shop.yaml"));

        await BootAsync(StateDevice.Old);

        Assert.Equal("schema: 1\n", _device.Read("var/lib/appliance/etc/shop/shop.yaml"));
        Assert.Equal("mode=1\n", _device.Read("var/lib/appliance/etc/shop.conf"));
        Assert.False(File.Exists(Path.Combine(_device.Root, "var/lib/appliance/etc/shop/more.yaml")));
    }

    [Fact]
    public async Task TheDatastoreOfTheOldVersion_ComesBackWithIt()
    {
        await TryNewVersionAsync();
        Assert.Equal("1 2", Rows("var/lib/shop/state.db"));

        await BootAsync(StateDevice.Old);

        Assert.Equal(StateDevice.OldState, _device.State);
        Assert.Equal("1", Rows("var/lib/shop/state.db"));
        Assert.Equal("1", Rows("var/lib/single.db"));
    }

    private string Rows(string path) => StateDevice.Run("sqlite3", Path.Combine(_device.Root, path), "PRAGMA quick_check; SELECT group_concat(schema, ' ') FROM t").Trim().Split('\n') is ["ok", var rows] ? rows : "damaged";

    [Fact]
    public async Task TheReport_SaysWhatARestoreDiscarded()
    {
        await TryNewVersionAsync();
        var snapshot = Assert.Single(_device.Snapshots().List());
        Assert.Equal((StateDevice.Old, StateDevice.New, "b"), (snapshot.From, snapshot.Version, snapshot.Slot));

        await BootAsync(StateDevice.Old);

        var report = _device.Snapshots().LastRestore()!;
        Assert.Equal((StateDevice.New, StateDevice.Old), (report.From, report.To));
        Assert.Equal(["/etc/shop", "/etc/shop.conf", "/var/lib/new", "/var/lib/old", "/var/lib/shop", "/var/lib/single.db", "/var/lib/single.db-shm", "/var/lib/single.db-wal"], report.Paths.Order(StringComparer.Ordinal));
        Assert.InRange(report.BytesDiscarded, 1 << 20, 2 << 20);
        Assert.NotNull(report.NewestDiscarded);
        Assert.Empty(_device.Leftovers);
    }

    [Fact]
    public async Task ASecondTry_KeepsTheFirstSnapshot()
    {
        await TryNewVersionAsync();
        var first = Assert.Single(_device.Snapshots().List()).Name;

        await BootAsync(StateDevice.New);

        Assert.Equal(first, Assert.Single(_device.Snapshots().List()).Name);
        Assert.Equal(StateDevice.NewState, _device.State);
        await BootAsync(StateDevice.Old);
        Assert.Equal(StateDevice.OldState, _device.State);
    }

    /// <summary>A restore could not be made, another version was tried from there, and the clock lost its time in between.</summary>
    [Fact]
    public async Task OfTwoSnapshots_TheFirstIsTheOldVersionsState_WhateverTheClockSays()
    {
        await TryNewVersionAsync();
        _device.Boots("1.2");
        (StateDevice.Trial with { Version = "1.2" }).Write(_device.Layout.Trial);
        await new StateSnapshots(_device.Layout, new StateDisk(), new Health.ManualTime()).RunAtBootAsync(TestContext.Current.CancellationToken);
        Assert.Equal([StateDevice.New, "1.2"], _device.Snapshots().List().Select(snapshot => snapshot.Version));

        await BootAsync(StateDevice.Old);

        Assert.Equal(StateDevice.OldState, _device.State);
        Assert.Empty(_device.Snapshots().List());
    }

    [Fact]
    public async Task AfterTheCommit_TheNewStateStays_AndNothingIsLeft()
    {
        await TryNewVersionAsync();
        TrialRecord.Delete(_device.Layout.Trial);

        await _device.Snapshots().CommitAsync();
        await BootAsync(StateDevice.New);

        Assert.Equal(StateDevice.NewState, _device.State);
        Assert.Empty(_device.Leftovers);
        Assert.Null(_device.Snapshots().LastRestore());
    }

    [Fact]
    public async Task AVersionTriedAgain_IsProtectedAgain()
    {
        await TryNewVersionAsync();
        await BootAsync(StateDevice.Old);
        _device.Write("var/lib/shop/token", "written after the rollback");
        await BootAsync(StateDevice.New);
        _device.NewVersionRuns();

        await BootAsync(StateDevice.Old);

        Assert.Equal("written after the rollback", _device.Read("var/lib/shop/token"));
    }

    [Fact]
    public async Task TheSameVersionInTheOtherSlot_IsToldApartByItsSlot()
    {
        await BootAsync(StateDevice.Old);
        (StateDevice.Trial with { Version = StateDevice.Old }).Write(Prepared(_device.Layout.Trial));

        await BootAsync(StateDevice.Old); // the root is not on slot b

        Assert.Empty(_device.Snapshots().List());
    }

    [Fact]
    public async Task WithNothingOnTrial_NothingIsCopied()
    {
        await BootAsync(StateDevice.Old);
        await BootAsync(StateDevice.New);

        Assert.Empty(_device.Leftovers);
        Assert.Equal(StateDevice.OldState, _device.State);
    }

    [Fact]
    public async Task SnapshotsAreForRootsEyes_TheirManifestsForAll()
    {
        await TryNewVersionAsync();

        var folder = Path.Combine(_device.Layout.Snapshots, Assert.Single(_device.Snapshots().List()).Name);
        Assert.Equal("700", Convert.ToString((int)File.GetUnixFileMode(StateSnapshot.Data(folder)), 8));
        Assert.Equal("644", Convert.ToString((int)File.GetUnixFileMode(StateSnapshot.Manifest(folder)), 8));
        Assert.Equal("755", Convert.ToString((int)File.GetUnixFileMode(_device.Layout.Snapshots), 8));
    }

    /// <summary>The initrd binds before the state goes back: what is seen in /etc must be the old content all the same.</summary>
    [Fact]
    public async Task APersistedFolderAndFile_AreTheOldOnes_ThroughTheirBindMounts()
    {
        await TryNewVersionAsync();
        var (folder, file) = (Path.Combine(_device.Root, "etc/shop"), Path.Combine(_device.Root, "etc/shop.conf"));
        Directory.CreateDirectory(folder);
        File.WriteAllText(file, "");
        StateDevice.Run("mount", "--bind", Path.Combine(_device.Root, "var/lib/appliance/etc/shop"), folder);
        StateDevice.Run("mount", "--bind", Path.Combine(_device.Root, "var/lib/appliance/etc/shop.conf"), file);
        try
        {
            await BootAsync(StateDevice.Old);

            Assert.Equal("schema: 1\n", File.ReadAllText(Path.Combine(folder, "shop.yaml")));
            Assert.Single(Directory.GetFiles(folder));
            Assert.Equal("mode=1\n", File.ReadAllText(file));
        }
        finally
        {
            StateDevice.Run("umount", folder, file);
        }
        Assert.Equal(StateDevice.OldState, _device.State);
    }

    /// <summary>The initrd of a version that persists a path more has made its first copy before the snapshot is taken.</summary>
    [Fact]
    public async Task ConfigThatTheNewVersionBroughtFirst_GoesWithIt()
    {
        _device.Write("var/lib/appliance/etc/shop.conf", "the new image's");
        _device.Write("run/appliance/etc-made", "/etc/shop.conf\n");
        _device.Install();
        await BootAsync(StateDevice.New);

        await BootAsync(StateDevice.Old);

        Assert.False(File.Exists(Path.Combine(_device.Root, "var/lib/appliance/etc/shop.conf")));
    }

    [Fact]
    public async Task APathOnADiskOfItsOwn_ComesBackByCopies()
    {
        var shop = Path.Combine(_device.Root, "var/lib/shop");
        using (new SmallDisk(shop, "16m,mode=0711"))
        {
            await BootAsync(StateDevice.Old);
            _device.Install();
            await BootAsync(StateDevice.New);
            StateDevice.Run("/bin/sh", "-euc", $"cd {shop}; rm -rf tls token; echo new > fresh; chmod 0700 .");

            await BootAsync(StateDevice.Old);

            Assert.Equal(StateDevice.OldState, _device.State);
            Assert.Empty(_device.Leftovers);
        }
    }

    /// <summary>The verb, as its unit runs it, on a data partition that is too small for two states.</summary>
    [Fact]
    public async Task ATrialWithoutRoomForItsSnapshot_FailsWithThatReason()
    {
        var data = Path.Combine(_device.Root, "var");
        using (new SmallDisk(data, "17m"))
        {
            await BootAsync(StateDevice.Old);
            StateDevice.Run("dd", "if=/dev/urandom", $"of={data}/lib/shop/ballast", "bs=1M", "count=2", "status=none");
            _device.Install();
            var before = _device.State;
            _device.Boots(StateDevice.New);

            Assert.Equal(1, await StateVerb.RunAsync(_device.Layout, Token));

            var result = await new StateProbe(_device.Layout.Failure).TryAsync(Token);
            Assert.False(result.Passed);
            Assert.StartsWith("The data partition has no room to keep the state of 1.0 aside, so 1.1 cannot be tried: ", result.Message, StringComparison.Ordinal);
            Assert.EndsWith("then install 1.1 again.", result.Message, StringComparison.Ordinal);
            Assert.Empty(_device.Leftovers);

            _device.Boots(StateDevice.Old);
            Assert.Equal(0, await StateVerb.RunAsync(_device.Layout, Token));
            Assert.True((await new StateProbe(_device.Layout.Failure).TryAsync(Token)).Passed);
            Assert.Equal(before, _device.State);
        }
    }

    [Fact]
    public async Task ARestore_NeedsNoRoom()
    {
        var data = Path.Combine(_device.Root, "var");
        using (new SmallDisk(data, "32m"))
        {
            await TryNewVersionAsync();
            StateDevice.Run("/bin/sh", "-uc", $"dd if=/dev/zero of={data}/lib/full bs=4k status=none 2>/dev/null; [ $(stat -f -c %f {data}) = 0 ]");

            await BootAsync(StateDevice.Old);

            Assert.Equal(StateDevice.OldState, _device.State);
        }
    }

    /// <summary>A restore that failed is owed still when the trial has been given up.</summary>
    [Fact]
    public async Task WithoutTheRecord_TheOldVersionGetsItsStateBackAllTheSame()
    {
        await TryNewVersionAsync();
        TrialRecord.Delete(_device.Layout.Trial);

        await BootAsync(StateDevice.Old);

        Assert.Equal(StateDevice.OldState, _device.State);
        Assert.Empty(_device.Leftovers);
    }

    [Fact]
    public async Task ADamagedTrialRecord_IsAReason()
    {
        File.WriteAllText(Prepared(_device.Layout.Trial), "{");

        Assert.Equal(1, await StateVerb.RunAsync(_device.Layout, Token));

        Assert.Contains("trial.json is damaged", (await new StateProbe(_device.Layout.Failure).TryAsync(Token)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/var/lib/../../etc")]
    [InlineData("relative")]
    [InlineData("/var/lib/appliance")]
    public async Task Refuses_AListThatNamesWhatMustNotBeTouched(string path)
    {
        await BootAsync(StateDevice.Old);
        _device.Install();
        _device.Boots(StateDevice.New);
        _device.Write("usr/lib/appliance/state", path + "\n");

        await Assert.ThrowsAsync<InvalidDataException>(() => _device.Snapshots().RunAtBootAsync(Token));
    }

    private static string Prepared(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }
}
