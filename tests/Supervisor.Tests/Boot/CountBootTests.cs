using Appliance.Supervisor.Boot;

namespace Supervisor.Tests.Boot;

/// <summary>The initrd's count of boots, as the script it is, on file systems of their own.</summary>
public sealed class CountBootTests
{
    private const int MostSteps = 40;
    private const string Unmounted = "mounts file systems";

    [Theory]
    [InlineData(0, 1)]
    [InlineData(4, 5)]
    public void Boot_FewerThanTheLimit_CountsAndGoesOn(int before, int after)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, Unmounted);
        using var tree = new BootedTree(before, "edge_1.0.efi", "edge_0.9.efi");

        Assert.Equal((0, ""), tree.Boot());

        Assert.Equal($"{BootedTree.Hash} {after}", tree.Boots);
        Assert.Equal("boots", tree.Data);
        Assert.Equal(["edge_0.9.efi", "edge_1.0.efi"], tree.Entries.Order(StringComparer.Ordinal));
        Assert.Null(tree.Rebooted);
    }

    [Theory]
    [InlineData("edge_0.9.efi")]
    [InlineData("edge_2.0+2-1.efi")]
    [InlineData("EDGE_0.9.EFI")]
    public void Boot_TheCommittedVersionDoesNotStayUp_TheOtherSlotTakesOver(string other)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, Unmounted);
        using var tree = new BootedTree(BootRow.Limit - 1, "edge_1.0.efi", other);

        Assert.Contains("the other slot takes over", tree.Boot().Output);

        Assert.Contains("edge_1.0+0-6.efi", tree.Entries);
        Assert.DoesNotContain("edge_1.0.efi", tree.Entries);
        Assert.Equal("--force reboot", tree.Rebooted);
    }

    [Theory]
    [InlineData("edge_0.9+0-3.efi")]
    [InlineData("edge_1.0+2-1.efi")]
    [InlineData("notes.txt")]
    public void Boot_NothingElseBoots_GoesOn(string other)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, Unmounted);
        using var tree = new BootedTree(BootRow.Limit + 3, "edge_1.0.efi", other);

        var (code, output) = tree.Boot();

        Assert.Equal(0, code);
        Assert.Contains("nothing else to boot", output);
        Assert.Contains("edge_1.0.efi", tree.Entries);
        Assert.Null(tree.Rebooted);
    }

    /// <summary>Seen with a disk that took 25 s to appear: the gate gave a good version up for the unit that had failed.</summary>
    [Fact]
    public void ABootThatCannotBeCounted_IsNoFailedUnit() =>
        Assert.Contains("\nExecStart=-/usr/lib/appliance/count-boot\n", File.ReadAllText(Path.Combine(Repository.Folder, "image/initrd/usr/lib/systemd/system/appliance-boot.service")), StringComparison.Ordinal);

    [Fact]
    public void Boot_TheBootLoaderCounts_LeavesItToIt()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, Unmounted);
        using var tree = new BootedTree(BootRow.Limit, "edge_1.0+1-2.efi", "edge_0.9.efi");
        tree.WriteVariable("LoaderBootCountPath", "\\EFI\\Linux\\edge_1.0+1-2.efi");

        Assert.Equal((0, ""), tree.Boot());

        Assert.Contains("edge_1.0+1-2.efi", tree.Entries);
        Assert.Null(tree.Rebooted);
    }

    [Fact]
    public void Boot_AnotherVersionWasCounted_BeginsAnew()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, Unmounted);
        using var tree = new BootedTree(9, "edge_1.0.efi", "edge_0.9.efi");
        tree.Write("root/proc/cmdline", "roothash=ffff quiet\n");

        tree.Boot();

        Assert.Equal("ffff 1", tree.Boots);
        Assert.Null(tree.Rebooted);
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData(BootedTree.Hash + " -3")]
    [InlineData(BootedTree.Hash + " 99999999999999999999")]
    public void Boot_TheCountIsDamaged_BeginsAnew(string damaged)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, Unmounted);
        using var tree = new BootedTree(1, "edge_1.0.efi", "edge_0.9.efi");
        tree.Shell($"mount root/dev/vda6 m; echo '{damaged}' > m/lib/appliance/boots");

        Assert.Equal(0, tree.Boot().ExitCode);

        Assert.Equal($"{BootedTree.Hash} 1", tree.Boots);
    }

    [Fact]
    public void Boot_ACutLeftBothNames_NoNameIsReplaced()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, Unmounted);
        using var tree = new BootedTree(BootRow.Limit - 1, "edge_1.0.efi", "edge_1.0+0-6.efi", "edge_0.9.efi");

        tree.Boot();

        Assert.Equal(["edge_0.9.efi", "edge_1.0+0-6.efi", "edge_1.0+0-7.efi"], tree.Entries.Order(StringComparer.Ordinal));
        Assert.NotNull(tree.Rebooted);
    }

    [Fact]
    public void Boot_PowerCutAtAnyStep_CountsOnAndSomethingBoots()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, Unmounted);
        for (var steps = 0; steps < MostSteps; steps++)
        {
            using var tree = new BootedTree(BootRow.Limit - 1, "edge_1.0.efi", "edge_0.9.efi");
            var ended = tree.Boot(steps).ExitCode == 0;
            Assert.Contains(tree.Boots, new[] { $"{BootedTree.Hash} 5", $"{BootedTree.Hash} 6" });
            Assert.Contains(tree.Entries, name => BootEntry.Parse(name).Count is null);
            if (ended)
            {
                Assert.True(steps > 5);
                return;
            }
            if (!tree.Entries.Contains("edge_1.0.efi")) continue; // The boot loader starts the other slot now.
            tree.Boot();
            Assert.Contains(tree.Entries, name => name is "edge_1.0+0-6.efi" or "edge_1.0+0-7.efi");
            Assert.NotNull(tree.Rebooted);
        }
        Assert.Fail("the script never came to its end");
    }
}
