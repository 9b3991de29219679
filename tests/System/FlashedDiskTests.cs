using Appliance.ImageBuilder.BlockMaps;
using Appliance.ImageBuilder.Tools;
using Microsoft.Win32.SafeHandles;

namespace Appliance.SystemTests;

/// <summary>
/// A map leaves out what need not be written. On a disk that held something else, what it leaves out is what was there before: so it
/// may leave out nothing that anybody reads.
/// </summary>
public sealed class FlashedDiskTests : IDisposable
{
    private const int Sector = 512;
    private readonly string _folder = Directory.CreateTempSubdirectory("flashed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task TheMappedBlocksAlone_OnAUsedDisk_AreAWholeImage()
    {
        var image = Path.Combine(Product.Image, "disk.img");
        var map = BlockMap.Read(image + ".bmap");
        var partitions = (await ToolRunner.RunAsync("sfdisk", ["--dump", image])).Split('\n').Where(line => line.Contains("start=", StringComparison.Ordinal)).Select(Place).ToList();
        var (esp, root, verity, data) = (Part("esp"), Part("root"), Part("verity"), Part("data"));
        await FillAsync(map, image, esp, partitions[0]);
        await FillAsync(map, image, root, partitions[1]);
        await FillAsync(map, image, verity, partitions[2]);
        await FillAsync(map, image, data, partitions[5]);

        var hash = $"{partitions[1].Id}{partitions[2].Id}".Replace("-", "", StringComparison.Ordinal).ToLowerInvariant();
        await ToolRunner.RunAsync("veritysetup", ["verify", root, verity, hash]);
        await ToolRunner.RunAsync("fsck.vfat", ["-n", esp]);
        await ToolRunner.RunAsync("e2fsck", ["-f", "-n", data]);
        // The journal that a power cut replays has nothing of the disk's former life: of an empty file system it is zeros.
        var journal = Path.Combine(_folder, "journal");
        await ToolRunner.RunAsync("debugfs", ["-R", $"dump <8> {journal}", data]);
        var blocks = await File.ReadAllBytesAsync(journal, TestContext.Current.CancellationToken);
        Assert.InRange(blocks.Length, 4 << 20, 1 << 30);
        Assert.False(blocks.AsSpan(4096).ContainsAnyExcept((byte)0));
    }

    private string Part(string name) => Path.Combine(_folder, name);

    private static (long Start, long Size, string Id) Place(string line)
    {
        string Field(string name) => line.Split(name + "=")[1].Split(',')[0].Trim();
        return (long.Parse(Field("start")) * Sector, long.Parse(Field("size")) * Sector, Field("uuid"));
    }

    /// <summary>A partition of a disk full of other bytes after the mapped blocks were written.</summary>
    private static async Task FillAsync(BlockMap map, string image, string target, (long Start, long Size, string Id) place)
    {
        var old = new byte[4 << 20];
        old.AsSpan().Fill(0xA5);
        using var from = File.OpenHandle(image);
        using var to = File.OpenHandle(target, FileMode.CreateNew, FileAccess.ReadWrite);
        // Not beyond a MiB after the last mapped byte: a slot is mostly empty.
        var used = map.Ranges.Select(map.BytesOf).Where(run => run.Start < place.Start + place.Size).Max(run => run.End) - place.Start;
        for (long at = 0; at < Math.Min(place.Size, used + (1 << 20)); at += old.Length) RandomAccess.Write(to, old.AsSpan(0, (int)Math.Min(old.Length, place.Size - at)), at);
        RandomAccess.SetLength(to, place.Size);
        foreach (var (start, end) in map.Ranges.Select(map.BytesOf).Where(run => run.End > place.Start && run.Start < place.Start + place.Size))
            await CopyAsync(from, to, Math.Max(start, place.Start), Math.Min(end, place.Start + place.Size), place.Start);
    }

    private static async Task CopyAsync(SafeFileHandle from, SafeFileHandle to, long start, long end, long origin)
    {
        var buffer = new byte[4 << 20];
        for (var at = start; at < end;)
        {
            var read = await RandomAccess.ReadAsync(from, buffer.AsMemory(0, (int)Math.Min(buffer.Length, end - at)), at);
            await RandomAccess.WriteAsync(to, buffer.AsMemory(0, read), at - origin);
            at += read;
        }
    }
}
