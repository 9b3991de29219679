using Appliance.ImageBuilder.BlockMaps;

namespace ImageBuilder.Tests.Flash;

/// <summary>A small sparse disk image with a partition table, 16 MiB with a MiB of data, and its map.</summary>
internal static class SomeDisk
{
    public const int Size = 16 << 20, DataStart = 2 << 20, DataLength = 1 << 20;

    public static string Make(string path)
    {
        using (var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write)) RandomAccess.SetLength(file, Size);
        Tool.RunWithInput("label: gpt\nsize=4MiB, name=one\nsize=4MiB, name=two\n", "sfdisk", "--quiet", path);
        using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write))
        {
            var data = new byte[DataLength];
            new Random(7).NextBytes(data);
            RandomAccess.Write(file, data, DataStart);
        }
        BlockMap.Create(path).Write(path + ".bmap");
        return path;
    }
}
