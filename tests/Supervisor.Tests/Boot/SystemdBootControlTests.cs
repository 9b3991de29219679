using Appliance.Core;
using Appliance.Core.Images;
using Appliance.Supervisor.Boot;

namespace Supervisor.Tests.Boot;

public sealed class SystemdBootControlTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ReadSlots_AFreshDevice_HasOneTrialAndOneEmptySlot()
    {
        using var disk = new SlotDisk().With("edge_1.0+2-1.efi");
        using var control = disk.Open();

        var slots = await control.ReadSlotsAsync(Token);

        Assert.Equal(
            [
                new SlotStatus { Name = "a", Running = true, State = SlotState.Trial, Version = "1.0", RootHash = SlotDisk.Hash1, TriesLeft = 2, TriesDone = 1 },
                new SlotStatus { Name = "b", Running = false, State = SlotState.Empty },
            ],
            slots);
    }

    /// <summary>systemd-boot takes the newest good version; an older one has to be named.</summary>
    [Theory]
    [InlineData("edge_2.0.efi", "edge_1.0+3.efi", "edge_2.0", "edge_1.0", "edge_1.0.efi")]
    [InlineData("edge_1.0.efi", "edge_2.0+3.efi", "edge_1.0", "edge_2.0", null)]
    [InlineData("edge_2.0+2-1.efi", "edge_1.0+3.efi", "edge_2.0", "edge_1.0", null)]
    public async Task PrepareRestart_NamesAnOlderVersion_ForOneBoot(string running, string other, string label, string otherLabel, string? named)
    {
        using var disk = new SlotDisk(labelA: label, labelB: otherLabel).With(running, other);
        using var control = disk.Open();

        await control.PrepareRestartAsync(Token);
        await control.PrepareRestartAsync(Token);

        Assert.Equal(named, Appliance.Supervisor.Device.EfiVariable.TryReadText(disk.Root, "LoaderEntryOneShot"));
    }

    [Fact]
    public async Task MarkGood_OfAnOlderVersion_GivesUpTheNewerOne()
    {
        using var disk = new SlotDisk(labelB: "edge_2.0").With("edge_1.0+2-1.efi", "edge_2.0.efi").Booted("edge_1.0+2-1.efi");
        using var control = disk.Open();

        await control.MarkGoodAsync(Token);
        await control.MarkGoodAsync(Token);

        Assert.Equal(["edge_1.0.efi", "edge_2.0+0-1.efi"], disk.Names);
    }

    [Fact]
    public async Task GiveBackTry_OfAnOlderVersion_NamesItAgain()
    {
        using var disk = new SlotDisk(labelB: "edge_2.0").With("edge_1.0+2-1.efi", "edge_2.0.efi").Booted("edge_1.0+2-1.efi");
        using var control = disk.Open();

        await control.GiveBackTryAsync(Token);

        Assert.Equal("edge_1.0.efi", Appliance.Supervisor.Device.EfiVariable.TryReadText(disk.Root, "LoaderEntryOneShot"));
    }

    [Theory]
    [InlineData("edge_2.0.efi", SlotState.Good)]
    [InlineData("edge_2.0+3.efi", SlotState.Trial)]
    [InlineData("edge_2.0+0-3.efi", SlotState.Bad)]
    [InlineData("EDGE_2.0.EFI", SlotState.Good)]
    [InlineData("other.efi", SlotState.Empty)]
    internal async Task ReadSlots_TheOtherSlot_IsWorthWhatItsEntrySays(string entry, SlotState expected)
    {
        using var disk = new SlotDisk(labelB: "edge_2.0").With("edge_1.0.efi", entry);
        using var control = disk.Open();

        Assert.Equal(expected, (await control.ReadSlotsAsync(Token))[1].State);
    }

    [Fact]
    public async Task ReadSlots_InTheLastTry_TheRunningSlotIsStillOnTrial()
    {
        using var disk = new SlotDisk().With("edge_1.0+0-3.efi").Booted("edge_1.0+0-3.efi");
        using var control = disk.Open();

        var running = (await control.ReadSlotsAsync(Token))[0];

        Assert.Equal((SlotState.Trial, 0), (running.State, running.TriesLeft));
    }

    [Fact]
    public async Task ReadSlots_BothSlotsWithOneLabel_TheRunningOneIsToldByItsRootHash()
    {
        using var disk = new SlotDisk(labelB: "edge_1.0", running: SlotDisk.Hash2).With("edge_1.0.efi");
        using var control = disk.Open();

        var slots = await control.ReadSlotsAsync(Token);

        Assert.Equal([(false, SlotState.Empty), (true, SlotState.Good)], slots.Select(slot => (slot.Running, slot.State)));
    }

    [Fact]
    public async Task ReadSlots_NoSlotHasTheRunningRootHash_SaysSo()
    {
        using var disk = new SlotDisk(running: "00" + SlotDisk.Hash1[2..]);
        using var control = disk.Open();

        Assert.Contains("Which slot", (await Assert.ThrowsAsync<UserError>(() => control.ReadSlotsAsync(Token))).Message);
    }

    [Fact]
    public async Task ReadRunning_GivesTheEntryOfTheRunningSlot()
    {
        using var disk = new SlotDisk(labelB: "edge_2.0").With("edge_1.0.efi", "edge_2.0+3.efi");
        using var control = disk.Open();

        Assert.Equal(Path.Combine(disk.Entries, "edge_1.0.efi"), (await control.ReadRunningAsync(Token)).Uki);
    }

    [Fact]
    public async Task ChooseTarget_GivesTheSlotThatDoesNotRun_AndMarksIt()
    {
        using var disk = new SlotDisk(labelB: "edge_0.9").With("edge_1.0.efi", "edge_0.9.efi");
        using var control = disk.Open();

        var target = await control.ChooseTargetAsync("2.0", Token);
        await target.Marker.MarkEmptyAsync(Token);
        var emptied = (await control.ReadSlotsAsync(Token))[1];
        var (root, verity) = ImageIdentity.PartitionIds(SlotDisk.Hash2);
        await target.Marker.MarkInstalledAsync("edge_2.0", root, verity, Token);
        File.WriteAllText(target.Uki, "UKI");
        var installed = (await control.ReadSlotsAsync(Token))[1];

        Assert.Equal(Path.Combine(disk.Entries, "edge_2.0+3.efi"), target.Uki);
        Assert.Equal((disk.Path, 10L << 20, 4L << 20), (target.Root.Path, target.Root.Offset, target.Root.Size));
        Assert.Equal([Path.Combine(disk.Entries, "edge_0.9.efi")], target.OldUkis);
        Assert.Equal(SlotState.Empty, emptied.State);
        Assert.Equal((SlotState.Trial, "2.0", SlotDisk.Hash2, 3), (installed.State, installed.Version, installed.RootHash, installed.TriesLeft));
    }

    [Fact]
    public async Task LeftOverEntries_OfNoSlot_GoWithTheUpdate()
    {
        using var disk = new SlotDisk(labelB: "edge_2.0").With("edge_1.0.efi", "edge_2.0+0-3.efi", "edge_0.8+1-2.efi", "strange.efi", ".edge_0.7+3.efi.part", "notes.txt");
        File.WriteAllText(Path.Combine(disk.Entries, ".edge_2.0+3.efi.part"), "half of it");
        using var control = disk.Open(int.MaxValue);

        var target = await control.ChooseTargetAsync("2.0", Token);

        // The half-written entry of the version itself stays: the install goes on with it.
        Assert.Equal([".edge_0.7+3.efi.part", "edge_0.8+1-2.efi", "edge_2.0+0-3.efi", "strange.efi"], target.OldUkis.Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ChooseTarget_TheEntryThatBootedHasAnotherName_ItStays()
    {
        using var disk = new SlotDisk().With("rescue+2-1.efi").WithVariable("LoaderEntrySelected", "rescue.efi");
        using var control = disk.Open();

        Assert.Empty((await control.ChooseTargetAsync("2.0", Token)).OldUkis);
    }

    [Fact]
    public async Task ChooseTarget_TheRunningVersion_IsRefused()
    {
        using var disk = new SlotDisk().With("edge_1.0.efi");
        using var control = disk.Open();

        var error = await Assert.ThrowsAsync<UserError>(() => control.ChooseTargetAsync("1.0", Token));

        Assert.Contains("1.0 is what runs in slot a", error.Message);
        Assert.Equal(["edge_1.0.efi"], disk.Names);
    }

    [Theory]
    [InlineData("edge_1.0+2-1.efi")]
    [InlineData("edge_1.0+0-1.efi")]
    public async Task ChooseTarget_TheOtherSlotIsWhatTheDeviceFallsBackTo_IsRefused(string running)
    {
        using var disk = new SlotDisk(labelB: "edge_0.9").With(running, "edge_0.9.efi");
        using var control = disk.Open();

        var error = await Assert.ThrowsAsync<UserError>(() => control.ChooseTargetAsync("2.0", Token));

        Assert.Contains("Slot b is what the device falls back to", error.Message);
    }

    [Fact]
    public async Task ChooseTarget_ADefaultEntryWasSet_ItDoesNotStopTheChoice()
    {
        using var disk = new SlotDisk().With("edge_1.0.efi").WithVariable("LoaderEntryDefault", "edge_1.0.efi").WithVariable("LoaderEntryOneShot", "gone.efi");
        using var control = disk.Open();

        var target = await control.ChooseTargetAsync("2.0", Token);
        Assert.True(File.Exists(disk.Variable("LoaderEntryDefault")));
        await target.Marker.MarkEmptyAsync(Token);

        Assert.False(File.Exists(disk.Variable("LoaderEntryDefault")));
        Assert.False(File.Exists(disk.Variable("LoaderEntryOneShot")));
    }

    [Theory]
    [InlineData("edge_1.0+2-1.efi")]
    [InlineData("edge_1.0+0-3.efi")]
    [InlineData("edge_1.0.efi")]
    public async Task MarkGood_TakesTheCounterOff_HoweverOften(string entry)
    {
        using var disk = new SlotDisk().With(entry).Booted("edge_1.0+2-1.efi");
        using var control = disk.Open();

        await control.MarkGoodAsync(Token);
        await control.MarkGoodAsync(Token);

        Assert.Equal(["edge_1.0.efi"], disk.Names);
    }

    [Theory]
    [InlineData("a", "edge_1.0+2-1.efi", "edge_0.9.efi", "edge_1.0+0-1.efi")]
    [InlineData("a", "edge_1.0.efi", "edge_0.9.efi", "edge_1.0+0-1.efi")]
    [InlineData("b", "edge_1.0.efi", "edge_0.9+1-2.efi", "edge_0.9+0-2.efi")]
    [InlineData("b", "edge_1.0.efi", "edge_0.9.efi", "edge_0.9+0-1.efi")]
    [InlineData("b", "edge_1.0.efi", "edge_0.9+0-3.efi", "edge_0.9+0-3.efi")]
    public async Task MarkBad_LeavesNoTries(string slot, string a, string b, string expected)
    {
        using var disk = new SlotDisk(labelB: "edge_0.9").With(a, b);
        using var control = disk.Open();

        await control.MarkBadAsync(slot, Token);
        await control.MarkBadAsync(slot, Token);

        Assert.Contains(expected, disk.Names);
        Assert.Equal(2, disk.Names.Count);
        Assert.Equal(SlotState.Bad, (await control.ReadSlotsAsync(Token)).Single(status => status.Name == slot).State);
    }

    [Fact]
    public async Task MarkBad_InTheLastTry_IsBadAtOnce()
    {
        using var disk = new SlotDisk(labelB: "edge_0.9").With("edge_1.0+0-3.efi", "edge_0.9.efi").Booted("edge_1.0+0-3.efi");
        using var control = disk.Open();

        await control.MarkBadAsync("a", Token);
        await control.GiveBackTryAsync(Token);

        Assert.Equal(SlotState.Bad, (await control.ReadSlotsAsync(Token))[0].State);
    }

    /// <summary>systemd-bless-boot(8) takes the entry that it booted, called good or bad (+0-DONE), for what it may call good.</summary>
    [Fact]
    public async Task MarkBad_OnTrial_IsANameThatNobodyBlesses()
    {
        using var disk = new SlotDisk(labelB: "edge_0.9").With("edge_1.0+2-1.efi", "edge_0.9.efi").Booted("edge_1.0+2-1.efi");
        using var control = disk.Open();

        await control.MarkBadAsync("a", Token);

        Assert.Equal(["edge_0.9.efi", "edge_1.0+0-2.efi"], disk.Names);
        Assert.Equal(SlotState.Bad, (await control.ReadSlotsAsync(Token))[0].State);
    }

    [Theory]
    [InlineData("a", "edge_1.0.efi", "edge_0.9+0-3.efi", "nothing that boots")]
    [InlineData("a", "edge_1.0+2-1.efi", "stranger.efi", "nothing that boots")]
    [InlineData("b", "edge_1.0+0-3.efi", "edge_0.9.efi", "nothing that boots")]
    [InlineData("a", "edge_1.0.efi", "edge_0.9+3.efi", "nothing that is known to work")]
    [InlineData("b", "edge_1.0+2-1.efi", "edge_0.9.efi", "nothing that is known to work")]
    public async Task MarkBad_RefusesWhenNothingElseIsFitToBoot(string slot, string a, string b, string reason)
    {
        using var disk = new SlotDisk(labelB: "edge_0.9").With(a, b);
        using var control = disk.Open();
        var before = disk.Names;

        var error = await Assert.ThrowsAsync<UserError>(() => control.MarkBadAsync(slot, Token));

        Assert.Contains(reason, error.Message);
        Assert.Equal(before, disk.Names);
    }

    [Theory]
    [InlineData("edge_1.0+2-1.efi", "edge_1.0+3.efi")]
    [InlineData("edge_1.0+0-3.efi", "edge_1.0+1-2.efi")]
    public async Task AGoodReboot_InATrial_CostsNoTry(string booted, string expected)
    {
        using var disk = new SlotDisk().With(booted).Booted(booted);
        using var control = disk.Open();

        await control.GiveBackTryAsync(Token);
        await control.GiveBackTryAsync(Token);

        Assert.Equal([expected], disk.Names);
    }

    [Theory]
    [InlineData("edge_1.0.efi")]
    [InlineData("edge_1.0+0-1.efi")]
    public async Task GiveBackTry_AfterAVerdict_ChangesNothing(string entry)
    {
        using var disk = new SlotDisk().With(entry).Booted("edge_1.0+2-1.efi");
        using var control = disk.Open();

        await control.GiveBackTryAsync(Token);

        Assert.Equal([entry], disk.Names);
    }

    [Fact]
    public async Task AJourney_OnRealFat_LeavesACleanFileSystem()
    {
        Assert.SkipWhen(FatImage.Obstacle is not null, FatImage.Obstacle ?? "");
        using var disk = new SlotDisk(labelB: "edge_0.9", fat: true).With("edge_1.0+2-1.efi", "edge_0.9.efi").Booted("edge_1.0+2-1.efi");

        using (var control = disk.Open()) await control.GiveBackTryAsync(Token);
        disk.Reinsert();
        Assert.Equal(["edge_0.9.efi", "edge_1.0+3.efi"], disk.Names);
        using (var control = disk.Open()) await control.MarkGoodAsync(Token);
        using (var control = disk.Open()) await control.MarkBadAsync("b", Token);
        disk.Reinsert();

        Assert.Equal(["edge_0.9+0-1.efi", "edge_1.0.efi"], disk.Names);
        Assert.Equal("UKI edge_1.0", File.ReadAllText(Path.Combine(disk.Entries, "edge_1.0.efi")));
    }
}
