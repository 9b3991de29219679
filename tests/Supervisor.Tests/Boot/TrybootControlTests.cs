using Appliance.Core;
using Appliance.Core.Images;
using Appliance.Supervisor.Boot;

namespace Supervisor.Tests.Boot;

public sealed class TrybootControlTests
{
    private const int MostSteps = 40;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ReadSlots_AFreshDevice_RunsFromTheKeptSlot()
    {
        using var disk = new PiDisk();
        using var control = disk.Open();

        Assert.Equal(
            [
                new SlotStatus { Name = "a", Running = true, State = SlotState.Good, Version = "1.0", RootHash = SlotDisk.Hash1 },
                new SlotStatus { Name = "b", Running = false, State = SlotState.Empty },
            ],
            await control.ReadSlotsAsync(Token));
        await control.PrepareRestartAsync(Token);
        Assert.Equal("0 tryboot", File.ReadAllText(disk.RebootParameter));
        Assert.Equal(disk.BootImage("a"), (await control.ReadRunningAsync(Token)).Uki);
    }

    [Fact]
    public async Task ATrial_HasOneTry_AndIsKeptBySwappingThePartitions()
    {
        using var disk = new PiDisk(labelB: "edge_2.0");
        using var control = disk.Open();

        var installed = (await control.ReadSlotsAsync(Token))[1];
        disk.Boot("b", tried: true);
        var tried = (await control.ReadSlotsAsync(Token))[1];
        await control.MarkGoodAsync(Token);
        await control.MarkGoodAsync(Token);
        var kept = await control.ReadSlotsAsync(Token);

        Assert.Equal((SlotState.Trial, 1, 0), (installed.State, installed.TriesLeft, installed.TriesDone));
        Assert.Equal((SlotState.Trial, 0, 1), (tried.State, tried.TriesLeft, tried.TriesDone));
        Assert.Equal([SlotState.Good, SlotState.Good], kept.Select(slot => slot.State));
        Assert.Equal("[all]\ntryboot_a_b=1\nboot_partition=3\n[tryboot]\nboot_partition=2\n", File.ReadAllText(disk.Autoboot));
    }

    [Fact]
    public async Task MarkBad_TheTrialThatRuns_TheKeptSlotBootsAndTheOtherIsBad()
    {
        using var disk = new PiDisk(labelB: "edge_2.0").Boot("b", tried: true);
        using var control = disk.Open();

        await control.MarkBadAsync("b", Token);

        Assert.Equal("a", disk.Next);
        disk.Boot("a", tried: false);
        Assert.Equal(SlotState.Bad, (await control.ReadSlotsAsync(Token))[1].State);
    }

    [Fact]
    public async Task MarkBad_TheKeptSlot_TheOtherOneBoots()
    {
        using var disk = new PiDisk(labelB: "edge_0.9").Proven();
        using var control = disk.Open();

        await control.MarkBadAsync("a", Token);

        Assert.Equal("b", disk.Next);
        Assert.Equal([SlotState.Bad, SlotState.Good], (await control.ReadSlotsAsync(Token)).Select(slot => slot.State));
    }

    [Fact]
    public async Task MarkBad_RefusesWhenNothingElseBoots()
    {
        using var disk = new PiDisk();
        using var control = disk.Open();
        await Assert.ThrowsAsync<UserError>(() => control.MarkBadAsync("a", Token));

        using var trial = new PiDisk(labelB: "edge_2.0").Boot("b", tried: true);
        using var other = trial.Open();
        await Assert.ThrowsAsync<UserError>(() => other.MarkBadAsync("a", Token));
        Assert.Equal("a", trial.Next);
    }

    [Fact]
    public async Task ChooseTarget_TheSlotWasBad_WhatIsInstalledIsOnTrialAgain()
    {
        using var disk = new PiDisk(labelB: "edge_2.0");
        using var control = disk.Open();
        await control.MarkBadAsync("b", Token);

        var target = await control.ChooseTargetAsync("2.0", Token);
        await target.Marker.MarkEmptyAsync(Token);
        var emptied = (await control.ReadSlotsAsync(Token))[1].State;
        var (root, verity) = ImageIdentity.PartitionIds(SlotDisk.Hash2);
        await target.Marker.MarkInstalledAsync("edge_2.0", root, verity, Token);

        Assert.Equal((disk.BootImage("b"), disk.Path, 4L << 20), (target.Uki, target.Root.Path, target.Root.Size));
        Assert.Equal(SlotState.Empty, emptied);
        Assert.Equal(SlotState.Trial, (await control.ReadSlotsAsync(Token))[1].State);
    }

    [Fact]
    public async Task ChooseTarget_ATrialRuns_TheKeptSlotIsNotOverwritten()
    {
        using var disk = new PiDisk(labelB: "edge_2.0").Boot("b", tried: true);
        using var control = disk.Open();

        Assert.Contains("falls back", (await Assert.ThrowsAsync<UserError>(() => control.ChooseTargetAsync("3.0", Token))).Message);
        Assert.Contains("is what runs", (await Assert.ThrowsAsync<UserError>(() => control.ChooseTargetAsync("2.0", Token))).Message);
    }

    [Theory]
    [InlineData("b", true, true)]
    [InlineData("b", false, false)]
    [InlineData("a", false, false)]
    public async Task AGoodReboot_InATrial_CostsNoTry(string running, bool tried, bool again)
    {
        using var disk = new PiDisk(labelB: "edge_2.0").Boot(running, tried);
        using var control = disk.Open();

        await control.GiveBackTryAsync(Token);

        Assert.Equal(again ? "0 tryboot" : null, File.Exists(disk.RebootParameter) ? File.ReadAllText(disk.RebootParameter) : null);
    }

    /// <summary>Nothing but this count ends the tries of a version that restarts in good order before there is a verdict.</summary>
    [Fact]
    public async Task AVersionThatRestartsByItself_ComesToTheEndOfItsTries()
    {
        using var disk = new PiDisk(labelB: "edge_2.0");
        disk.Restart(await TryNextAsync(disk));

        Assert.Equal(BootRow.Limit - 1, await RestartInGoodOrderAsync(disk));
        disk.Restart(await TryNextAsync(disk));
        Assert.Equal(0, await RestartInGoodOrderAsync(disk));

        await InstallAsync(disk, "2.0", SlotDisk.Hash2);
        disk.Restart(await TryNextAsync(disk));
        using var control = disk.Open();
        Assert.Null(await control.GiveBackTryAsync(Token)); // what is installed anew begins anew
        await control.MarkGoodAsync(Token);
        Assert.Equal(["good"], File.ReadLines(disk.Verdicts).Select(line => line.Split(' ')[1])); // of slot a
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task GiveBack_PowerCutAtAnyStep_TheKeptSlotBoots_AndTheTriesStillEnd(int before)
    {
        for (var steps = 0; steps < MostSteps; steps++)
        {
            using var disk = new PiDisk(labelB: "edge_2.0");
            disk.Restart(await TryNextAsync(disk));
            for (var times = 0; times < before; times++) Assert.Equal(("b", true), await RestartAsync(disk));
            var cut = false;
            try
            {
                using var control = disk.Open(steps);
                await control.GiveBackTryAsync(Token);
            }
            catch (PowerCutException)
            {
                cut = true;
            }
            Assert.Equal(cut, !File.Exists(disk.RebootParameter));
            Assert.Equal(("a", false), disk.Restart());
            disk.Restart(await TryNextAsync(disk));
            // The try that was cut off may be counted already, and those before it are.
            Assert.InRange(await RestartInGoodOrderAsync(disk), BootRow.Limit - 2 - before, BootRow.Limit - 1 - before);
            if (!cut) return;
        }
        Assert.Fail("the change never came to its end");
    }

    /// <summary>How often a version restarts in good order until the firmware starts the kept slot.</summary>
    private static async Task<int> RestartInGoodOrderAsync(PiDisk disk)
    {
        for (var times = 0; times < MostSteps; times++)
            if (await RestartAsync(disk) == ("a", false)) return times;
        throw new InvalidOperationException("the kept slot never starts");
    }

    private static async Task<(string Slot, bool Tried)> RestartAsync(PiDisk disk)
    {
        using (var control = disk.Open()) await control.GiveBackTryAsync(Token);
        return disk.Restart(File.Exists(disk.RebootParameter) ? File.ReadAllText(disk.RebootParameter) : null);
    }

    [Theory]
    [InlineData("[all]\nboot_partition=2\n")]
    [InlineData("boot_partition=x\n[tryboot]\nboot_partition=3\n")]
    [InlineData("[all]\nboot_partition=1\n[tryboot]\nboot_partition=3\n")]
    public async Task ReadSlots_AutobootMakesNoSense_SaysSo(string text)
    {
        using var disk = new PiDisk();
        File.WriteAllText(disk.Autoboot, text);
        using var control = disk.Open();

        Assert.Contains("autoboot.txt", (await Assert.ThrowsAsync<UserError>(() => control.ReadSlotsAsync(Token))).Message);
    }

    [Fact]
    public async Task ReadSlots_TheFirmwareAndTheKernelDisagree_SaysSo()
    {
        using var disk = new PiDisk(labelB: "edge_2.0").Boot("b", tried: true);
        File.WriteAllText(Path.Combine(disk.Root, "proc/cmdline"), $"roothash={SlotDisk.Hash1}");
        using var control = disk.Open();

        Assert.Contains("started partition 3", (await Assert.ThrowsAsync<UserError>(() => control.ReadSlotsAsync(Token))).Message);
    }

    [Theory]
    [InlineData("good", "b", "b")]
    [InlineData("bad b", "b", "a")]
    [InlineData("bad a", "a", "b")]
    public async Task Change_PowerCutAtAnyStep_ACompleteSlotBoots(string change, string running, string expected)
    {
        for (var steps = 0; steps < MostSteps; steps++)
        {
            using var disk = new PiDisk(labelB: "edge_2.0").Boot(running, tried: running == "b");
            if (change == "bad a") disk.Proven();
            var cut = await TryAsync(disk, change, steps);
            Assert.True(File.Exists(disk.BootImage(disk.Next)));
            if (cut) await TryAsync(disk, change, MostSteps);
            Assert.Equal(expected, disk.Next);
            if (!cut) return;
        }
        Assert.Fail("the change never came to its end");
    }

    /// <summary>Updates one after the other, each started as the firmware chooses, the control opened anew in every boot.</summary>
    [Fact]
    public async Task Updates_GoodAndBad_StartAsTheFirmwareChooses()
    {
        using var disk = new PiDisk();
        await InstallAsync(disk, "2.0", SlotDisk.Hash2);
        Assert.Equal(("b", true), disk.Restart(await TryNextAsync(disk)));
        Assert.Equal(("a", false), disk.Restart()); // the power went, or the kernel panicked

        Assert.Equal(("b", true), disk.Restart(await TryNextAsync(disk)));
        using (var control = disk.Open()) await control.GiveBackTryAsync(Token); // an operator restarts it
        Assert.Equal(("b", true), disk.Restart(File.ReadAllText(disk.RebootParameter)));
        using (var control = disk.Open()) await control.MarkGoodAsync(Token);
        Assert.Equal(("b", false), disk.Restart());

        await InstallAsync(disk, "3.0", SlotDisk.Hash1);
        Assert.Equal(("b", false), disk.Restart()); // before it was tried
        Assert.Equal(("a", true), disk.Restart(await TryNextAsync(disk)));
        using (var control = disk.Open()) await control.MarkBadAsync("a", Token);
        Assert.Equal(("b", false), disk.Restart());
        using var after = disk.Open();
        Assert.Equal([(SlotState.Bad, "3.0"), (SlotState.Good, "2.0")], (await after.ReadSlotsAsync(Token)).Select(slot => (slot.State, slot.Version!)));
    }

    /// <summary>Until the restart that asks for it, nothing but the kept slot boots, wherever the installation was cut.</summary>
    [Fact]
    public async Task AnInstallation_PowerCutAtAnyStep_TheKeptSlotBoots_AndItCanBeginAnew()
    {
        for (var steps = 0; steps < MostSteps; steps++)
        {
            using var disk = new PiDisk(labelB: "edge_0.9").Proven();
            var cut = await IsCutAsync(disk, steps);
            Assert.Equal(("a", false), disk.Restart());
            // A second cut while the first one's traces are cleared.
            for (var more = 0; cut && await IsCutAsync(disk, more); more++) Assert.Equal(("a", false), disk.Restart());
            Assert.Equal("boot files of 2.0", File.ReadAllText(disk.BootImage("b")));
            Assert.Equal(("b", true), disk.Restart(await TryNextAsync(disk)));
            if (!cut) return;
        }
        Assert.Fail("the installation never came to its end");
    }

    /// <summary>Somebody started the good old version by hand, and what the firmware would start is now what is written over.</summary>
    [Fact]
    public async Task AnInstallation_OverTheKeptSlot_PowerCutAtAnyStep_WhatRanBoots()
    {
        for (var steps = 0; steps < MostSteps; steps++)
        {
            using var disk = new PiDisk(labelB: "edge_0.9").Proven().Boot("b", tried: true);
            var cut = false;
            try
            {
                await InstallAsync(disk, "2.0", SlotDisk.Hash1, steps);
            }
            catch (PowerCutException)
            {
                cut = true;
            }
            var (slot, _) = disk.Restart(); // which asserts that the slot has its boot files
            if (cut) continue;
            Assert.Equal("b", slot);
            return;
        }
        Assert.Fail("the installation never came to its end");
    }

    /// <summary>An installation of 2.0 into slot b; true when the power went.</summary>
    private static async Task<bool> IsCutAsync(PiDisk disk, int steps)
    {
        try
        {
            await InstallAsync(disk, "2.0", SlotDisk.Hash2, steps);
            return false;
        }
        catch (PowerCutException)
        {
            return true;
        }
    }

    /// <summary>What the installer does with a slot, without its content.</summary>
    private static async Task InstallAsync(PiDisk disk, string version, string hash, int? steps = null)
    {
        using var control = disk.Open(steps);
        var target = await control.ChooseTargetAsync(version, Token);
        target.Delete(target.Uki);
        await target.Marker.MarkEmptyAsync(Token);
        File.WriteAllText(target.PartialUki, "boot files of " + version);
        var (root, verity) = ImageIdentity.PartitionIds(hash);
        await target.Marker.MarkInstalledAsync($"edge_{version}", root, verity, Token);
        target.Rename(target.PartialUki, target.Uki);
    }

    /// <summary>The parameter of the restart into a version on trial.</summary>
    private static async Task<string> TryNextAsync(PiDisk disk)
    {
        using var control = disk.Open();
        await control.PrepareRestartAsync(Token);
        return File.ReadAllText(disk.RebootParameter);
    }

    [Fact]
    public async Task AJourney_OnRealFat_LeavesCleanFileSystems()
    {
        Assert.SkipWhen(FatImage.Obstacle is not null, FatImage.Obstacle ?? "");
        using var disk = new PiDisk(labelB: "edge_2.0", fat: true);
        disk.Boot("b", tried: true);

        using (var control = disk.Open()) await control.MarkGoodAsync(Token);
        disk.Reinsert();
        Assert.Equal("b", disk.Next);
        using (var control = disk.Open()) await control.MarkBadAsync("a", Token);
        disk.Reinsert();

        using var after = disk.Open();
        Assert.Equal([SlotState.Bad, SlotState.Good], (await after.ReadSlotsAsync(Token)).Select(slot => slot.State));
        Assert.InRange(new FileInfo(disk.Autoboot).Length, 1, 511);
    }

    private static async Task<bool> TryAsync(PiDisk disk, string change, int steps)
    {
        using var control = disk.Open(steps);
        try
        {
            await (change == "good" ? control.MarkGoodAsync(Token) : control.MarkBadAsync(change[^1..], Token));
            return false;
        }
        catch (PowerCutException)
        {
            return true;
        }
    }
}
