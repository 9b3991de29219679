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
        foreach (var partition in layout.Partitions)
        {
            Assert.Equal(next, partition.Offset);
            Assert.Equal(0, partition.Size % (1 << 20));
            next = partition.End;
        }
        Assert.Equal(next + (1 << 20), layout.Size);
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

    /// <summary>Sizes `veritysetup format` made for files of these sizes.</summary>
    [Theory]
    [InlineData(4096, 4096)]
    [InlineData(8192, 8192)]
    [InlineData(128 * 4096, 8192)]
    [InlineData(129 * 4096, 4096 * 4)]
    [InlineData(2L << 30, 16916480)]
    public void VeritySize_KnownInputs_MatchVeritysetup(long data, long expected) => Assert.Equal(expected, Appliance.Core.Verity.VerityGeometry.SizeFor(data));
}
