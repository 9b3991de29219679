using System.Diagnostics;
using Appliance.ImageBuilder.Definition;
using Appliance.ImageBuilder.Disk;

namespace ImageBuilder.Tests.Disk;

public sealed class DiskLayoutTests
{
    private const string RootHash = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";

    private static readonly ImageDefinition Definition = new()
    {
        Folder = "/",
        Id = "edge",
        Version = "1.0",
        Board = new BoardDefinition { Name = "b", Architecture = "amd64" },
    };

    [Fact]
    public void For_AnyDefinition_PlacesPartitionsOneAfterTheOtherAndAligned()
    {
        var layout = DiskLayout.For(Definition, RootHash);

        long next = 1 << 20;
        foreach (var partition in layout.Partitions.OrderBy(partition => partition.Offset))
        {
            Assert.Equal(next, partition.Offset);
            Assert.Equal(0, partition.Size % (1 << 20));
            next = partition.End;
        }
        Assert.Equal(next + (1 << 20), layout.Size);
        Assert.Equal(layout.Data.End, next); // it grows
        Assert.Equal(layout.Data, layout.Partitions[5]); // image/initrd/usr/lib/appliance/count-boot, also of older versions
        Assert.Equal(7, layout.Partitions.Select(partition => partition.Id).Distinct().Count());
    }

    [Fact]
    public void For_ARootHash_SplitsItIntoThePartitionsOfTheSlot()
    {
        var layout = DiskLayout.For(Definition, RootHash);

        Assert.Equal("00112233-4455-6677-8899-aabbccddeeff", layout.RootA.Id.ToString());
        Assert.Equal("10213243-5465-7687-98a9-bacbdcedfe0f", layout.VerityA.Id.ToString());
        Assert.Equal("edge_1.0", layout.RootA.Label);
        Assert.Equal("_empty", layout.RootB.Label);
    }

    /// <summary>The supervisor's boot control counts on these numbers (TrybootControl).</summary>
    [Fact]
    public void For_ARaspberryPi_PlacesTheBootPartitionsFirst()
    {
        var layout = DiskLayout.For(Definition with { Board = new BoardDefinition { Name = "pi", Architecture = "arm64", Boot = BootScheme.Tryboot } }, RootHash);

        Assert.Equal(["autoboot", "boot-a", "boot-b", "edge_1.0", "edge_1.0", "_empty", "_empty", "edge-data", "config"], layout.Partitions.Select(partition => partition.Label));
        Assert.Equal([16L << 20, 512L << 20, 512L << 20], layout.Boot.Select(partition => partition.Size));
        // Windows is to show the one that a provision file is dropped on.
        Assert.Equal(["autoboot", "boot-a", "boot-b"], layout.ToSfdiskScript().Split('\n').Where(line => line.EndsWith(", attrs=\"GUID:63\"", StringComparison.Ordinal)).Select(line => line.Split('"')[1]));
        Assert.Equal(9, layout.Partitions.Select(partition => partition.Id).Distinct().Count());
    }

    [Theory]
    [InlineData("amd64", BootScheme.SystemdBoot, true)]
    [InlineData("arm64", BootScheme.SystemdBoot, true)]
    [InlineData("arm64", BootScheme.Tryboot, false)]
    public async Task AnImage_TellsWhatItIsFor(string architecture, BootScheme boot, bool uefi)
    {
        var layout = DiskLayout.For(Definition with { Board = new BoardDefinition { Name = "b", Architecture = architecture, Boot = boot } }, RootHash);
        using var folder = new Temporary();
        var image = folder["disk.img"];
        await using (var file = File.Create(image)) file.SetLength(layout.Size);
        using var sfdisk = Process.Start(new ProcessStartInfo("sfdisk", ["--quiet", image]) { RedirectStandardInput = true })!;
        await sfdisk.StandardInput.WriteAsync(layout.ToSfdiskScript());
        sfdisk.StandardInput.Close();
        await sfdisk.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal((architecture, uefi), (DiskLayout.FindArchitecture(image), DiskLayout.HasEsp(image)));
    }

    [Fact]
    public void AnythingElse_IsForNoArchitecture()
    {
        using var folder = new Temporary();
        File.WriteAllText(folder["disk.img"], "no disk");

        Assert.Null(DiskLayout.FindArchitecture(folder["disk.img"]));
    }

    /// <summary>Sizes `veritysetup format` made for files of these sizes.</summary>
    [Theory]
    [InlineData(4096, 4096)]
    [InlineData(8192, 8192)]
    [InlineData(128 * 4096, 8192)]
    [InlineData(129 * 4096, 4096 * 4)]
    [InlineData(2L << 30, 16916480)]
    public void VeritySize_KnownInputs_MatchVeritysetup(long data, long expected) => Assert.Equal(expected, Appliance.Core.Verity.VerityGeometry.SizeFor(data));
}
