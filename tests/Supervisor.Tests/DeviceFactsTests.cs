using Appliance.Supervisor.Device;

namespace Supervisor.Tests;

public sealed class DeviceFactsTests
{
    [Theory]
    [InlineData(2, "a")]
    [InlineData(4, "b")]
    public void Read_ADevice_GivesItsFacts(int partition, string slot)
    {
        using var tree = new DeviceTree(partition);

        var facts = new DeviceFacts(tree.Root, tree.Root);

        Assert.Equal(new ImageIdentity("edge", "1.0", "vm", "podman", "Debian GNU/Linux 13 (trixie)"), facts.Image);
        Assert.Equal(new RunningSlot(slot, $"vda{partition}", "edge_1.0", true), facts.Slot);
        Assert.Equal(new BootCount(2, 1), facts.BootCount);
        Assert.Equal("00ff", facts.RootHash);
        Assert.Equal("edge-7", facts.Hostname);
        Assert.Matches("^[0-9a-f]{32}$", facts.Id);
        Assert.NotEqual("0123456789abcdef0123456789abcdef", facts.Id);
        Assert.Equal(TimeSpan.FromSeconds(93784.5), facts.Uptime);
        Assert.Equal((2048 * 1024, 1024 * 1024), facts.Memory);
        Assert.True(facts.Data.Total > 0);
    }

    /// <summary>Three boot partitions come before the slots there.</summary>
    [Theory]
    [InlineData(4, "a")]
    [InlineData(6, "b")]
    public void Read_ARaspberryPi_GivesItsSlot(int partition, string slot)
    {
        using var tree = new DeviceTree(partition);
        Directory.Delete(Path.Combine(tree.Root, "sys/firmware"), recursive: true);
        tree.Write("proc/device-tree/chosen/bootloader/tryboot", "");

        Assert.Equal(slot, RunningSlot.Read(tree.Root).Name);
    }

    [Fact]
    public void Read_AnEmptyTree_GivesUnknownsInsteadOfErrors()
    {
        var folder = Directory.CreateTempSubdirectory("empty");

        var facts = new DeviceFacts(folder.FullName, folder.FullName);

        Assert.Equal("unknown", facts.Image.Id);
        Assert.Equal("unknown", facts.Slot.Name);
        Assert.Equal("", facts.Id);
        Assert.Null(facts.BootCount);
        Assert.False(facts.HasEfi);
        Assert.Equal(TimeSpan.Zero, facts.Uptime);
        folder.Delete();
    }

    [Theory]
    [InlineData("\\EFI\\Linux\\edge_1.0+3.efi", 3, 0)]
    [InlineData("\\EFI\\Linux\\edge_1.0+0-3.efi", 0, 3)]
    [InlineData("\\EFI\\Linux\\a+b_1+2-1.efi", 2, 1)]
    public void Parse_ACountedEntry_GivesItsTries(string path, int left, int done) => Assert.Equal(new BootCount(left, done), BootCount.Parse(path));

    [Theory]
    [InlineData("")]
    [InlineData("\\EFI\\Linux\\edge_1.0.efi")]
    [InlineData("\\EFI\\Linux\\edge+x.efi")]
    [InlineData("\\EFI\\Linux\\edge+1-2-3.efi")]
    [InlineData("\\EFI\\Linux\\edge+-1.efi")]
    [InlineData("+")]
    [InlineData(".+1")]
    public void Parse_AnythingElse_GivesNothing(string path) => Assert.Null(BootCount.Parse(path));

    [Theory]
    [InlineData("")]
    [InlineData("30 1 254:0 / / ro\n")]
    [InlineData("30 1 x / / ro\n")]
    [InlineData("garbage")]
    public void Read_ABrokenMountTable_GivesAnUnknownSlot(string mountinfo)
    {
        using var tree = new DeviceTree();
        tree.Write("proc/self/mountinfo", mountinfo);
        Directory.Delete(Path.Combine(tree.Root, "sys/dev"), recursive: true);

        Assert.Equal("unknown", RunningSlot.Read(tree.Root).Name);
    }
}
