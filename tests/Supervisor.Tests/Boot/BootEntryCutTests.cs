using Appliance.Supervisor.Boot;

namespace Supervisor.Tests.Boot;

/// <summary>A power cut at every step of every rename, as FAT makes them: something complete boots, and doing it again ends well.</summary>
public sealed class BootEntryCutTests
{
    private const int MostSteps = 40;

    public static TheoryData<string, string, string[]> Changes => new()
    {
        { "good", "edge_1.0+2-1.efi", ["edge_0.9.efi", "edge_1.0.efi"] },
        { "bad a", "edge_1.0+2-1.efi", ["edge_0.9.efi", "edge_1.0+0-2.efi"] },
        { "bad a", "edge_1.0.efi", ["edge_0.9.efi", "edge_1.0+0-1.efi"] },
        { "bad b", "edge_1.0.efi", ["edge_0.9+0-1.efi", "edge_1.0.efi"] },
        { "back", "edge_1.0+2-1.efi", ["edge_0.9.efi", "edge_1.0+3.efi"] },
        { "choose", "edge_1.0.efi", ["edge_0.9.efi", "edge_1.0.efi"] },
        { "install", "edge_1.0.efi", ["edge_1.0.efi", "edge_2.0+3.efi"] },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task Change_PowerCutAtAnyStep_SomethingCompleteBoots(string change, string running, string[] expected)
    {
        var token = TestContext.Current.CancellationToken;
        for (var steps = 0; steps < MostSteps; steps++)
        {
            using var disk = new SlotDisk(labelB: "edge_0.9").With(running, "edge_0.9.efi").Booted(running);
            var cut = await TryAsync(disk, change, steps, token);
            AssertBoots(disk);
            if (!cut) return;
            // A second cut while the first one's traces are cleared.
            for (var more = 0; more < MostSteps; more++)
            {
                var again = await TryAsync(disk, change, more, token);
                AssertBoots(disk);
                if (!again) break;
            }
            Assert.Equal(expected, disk.Names.Where(name => name[0] != '.'));
        }
        Assert.Fail("the change never came to its end");
    }

    /// <summary>The power went while the entry of what runs now got its name, and its first name still stands for the same clusters.</summary>
    [Fact]
    public async Task ChooseTarget_TheFirstNameOfTheRunningEntryIsLeft_ItIsNeverDeleted()
    {
        using var disk = new SlotDisk(labelB: "edge_0.9").With("edge_1.0.efi", ".edge_1.0+3.efi.part", ".edge_0.8+3.efi.part", "edge_0.9.efi").Booted("edge_1.0+2-1.efi");
        using var control = disk.Open(MostSteps);

        var target = await control.ChooseTargetAsync("2.0", TestContext.Current.CancellationToken);

        Assert.Equal([".edge_0.8+3.efi.part", "edge_0.9.efi"], target.OldUkis.Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Contains("..edge_1.0+3.efi.part.1.aside", disk.Names);
    }

    [Theory]
    [InlineData("edge_1.0.efi", "edge_1.0+2-1.efi", SlotState.Good)]
    [InlineData("edge_1.0+3.efi", "edge_1.0+2-1.efi", SlotState.Trial)]
    [InlineData("edge_1.0+1-2.efi", "edge_1.0+0-2.efi", SlotState.Bad)]
    internal async Task ReadSlots_BothNamesOfARename_OneCountsAndTheOtherIsSetAside(string first, string second, SlotState expected)
    {
        using var disk = new SlotDisk().With(first, second);
        using var control = disk.Open(MostSteps);

        Assert.Equal(expected, (await control.ReadSlotsAsync(TestContext.Current.CancellationToken))[0].State);
        await control.ChooseTargetAsync("2.0", TestContext.Current.CancellationToken);

        Assert.Equal(expected, (await control.ReadSlotsAsync(TestContext.Current.CancellationToken))[0].State);
        Assert.Equal(1, disk.Names.Count(name => name.StartsWith("edge_1.0", StringComparison.Ordinal)));
        Assert.Single(disk.Names, name => name.EndsWith(".aside", StringComparison.Ordinal));
    }

    /// <summary>True when the power went.</summary>
    private static async Task<bool> TryAsync(SlotDisk disk, string change, int steps, CancellationToken token)
    {
        using var control = disk.Open(steps);
        try
        {
            await (change switch
            {
                "good" => control.MarkGoodAsync(token),
                "back" => control.GiveBackTryAsync(token),
                "choose" => control.ChooseTargetAsync("2.0", token),
                "install" => InstallAsync(control, token),
                _ => control.MarkBadAsync(change[^1..], token),
            });
            return false;
        }
        catch (PowerCutException)
        {
            return true;
        }
    }

    /// <summary>What an installation does to the entries.</summary>
    private static async Task InstallAsync(SystemdBootControl control, CancellationToken token)
    {
        var target = await control.ChooseTargetAsync("2.0", token);
        foreach (var old in target.OldUkis.Append(target.Uki)) target.Delete(old);
        File.WriteAllText(target.PartialUki, "UKI of version 2.0");
        target.Rename(target.PartialUki, target.Uki);
    }

    /// <summary>The boot loader finds an entry with content, kept or with tries left, that starts a labelled slot.</summary>
    private static void AssertBoots(SlotDisk disk) =>
        Assert.Contains(disk.Names, name =>
            name[0] != '.' && name.EndsWith(".efi", StringComparison.Ordinal) && new FileInfo(Path.Combine(disk.Entries, name)).Length > 0
            && BootEntry.Parse(name) is { Stem: "edge_1.0" or "edge_0.9", Count: null or { Left: > 0 } });
}
