using Appliance.ImageBuilder.BlockMaps;
using Appliance.ImageBuilder.Disk;

namespace ImageBuilder.Tests.Disk;

public sealed class SparseCopyTests : IDisposable
{
    private const int MiB = 1 << 20;
    private readonly Temporary _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>4 MiB: a hole, a MiB of zeros that were written, a hole, a MiB of data.</summary>
    private string Source()
    {
        using var file = File.OpenHandle(_folder["source"], FileMode.Create, FileAccess.Write);
        RandomAccess.SetLength(file, 4 * MiB);
        RandomAccess.Write(file, new byte[MiB], MiB);
        RandomAccess.Write(file, Enumerable.Repeat((byte)7, MiB).ToArray(), 3 * MiB);
        return _folder["source"];
    }

    private async Task<(BlockMap Map, List<long> Told)> CopyAsync(bool whole)
    {
        var told = new List<long>();
        using (var target = File.OpenHandle(_folder["target"], FileMode.Create, FileAccess.Write))
        {
            RandomAccess.SetLength(target, 8 * MiB);
            await SparseCopy.CopyAsync(Source(), target, 2 * MiB, whole, told.Add, TestContext.Current.CancellationToken);
        }
        var expected = new byte[8 * MiB];
        expected.AsSpan(5 * MiB, MiB).Fill(7);
        Assert.Equal(expected, await File.ReadAllBytesAsync(_folder["target"], TestContext.Current.CancellationToken));
        return (BlockMap.Create(_folder["target"]), told);
    }

    [Fact]
    public async Task Copy_OfASparseFile_LeavesHolesAndMapsZerosThatWereWritten()
    {
        var (map, told) = await CopyAsync(whole: false);

        Assert.Equal([(768, 1023), (1280, 1535)], map.Ranges.Select(range => (range.First, range.Last)));
        Assert.Equal(4 * MiB, told.Sum());
    }

    [Fact]
    public async Task Copy_OfTheWhole_MapsEveryByte()
    {
        var (map, told) = await CopyAsync(whole: true);

        Assert.Equal([(512, 1535)], map.Ranges.Select(range => (range.First, range.Last)));
        Assert.Equal(4 * MiB, told.Sum());
    }
}
