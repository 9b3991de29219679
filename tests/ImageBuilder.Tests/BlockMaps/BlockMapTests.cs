using System.Diagnostics;
using Appliance.Core;
using Appliance.ImageBuilder.BlockMaps;

namespace ImageBuilder.Tests.BlockMaps;

public sealed class BlockMapTests : IDisposable
{
    private readonly Temporary _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Data at the start, in the middle and in a last block that is cut; holes between.</summary>
    private string SparseImage()
    {
        using var file = File.OpenHandle(_folder["disk.img"], FileMode.Create, FileAccess.Write);
        var data = new byte[200_000];
        new Random(1).NextBytes(data);
        RandomAccess.SetLength(file, (8 << 20) + 100);
        RandomAccess.Write(file, data, 0);
        RandomAccess.Write(file, data, 3 << 20);
        RandomAccess.Write(file, data.AsSpan(0, 100), 8 << 20);
        return _folder["disk.img"];
    }

    [Fact]
    public void Write_ThenRead_GivesTheSameMap()
    {
        var map = BlockMap.Create(SparseImage());
        map.Write(_folder["disk.img.bmap"]);

        var read = BlockMap.Read(_folder["disk.img.bmap"]);

        Assert.Equal(map.ImageSize, read.ImageSize);
        Assert.Equal(map.Ranges, read.Ranges);
        Assert.InRange(map.MappedBytes, 400_100, 450_000);
    }

    [Fact]
    public void Bmaptool_TakesOurMapAndWritesTheSameImage()
    {
        var image = SparseImage();
        BlockMap.Create(image).Write(_folder["disk.img.bmap"]);

        Run("bmaptool", "copy", "--bmap", _folder["disk.img.bmap"], image, _folder["copy.img"]);

        Assert.Equal(File.ReadAllBytes(image), File.ReadAllBytes(_folder["copy.img"]));
    }

    [Fact]
    public void Read_AnAlteredMap_IsRefused()
    {
        BlockMap.Create(SparseImage()).Write(_folder["x.bmap"]);
        var text = File.ReadAllText(_folder["x.bmap"]);
        File.WriteAllText(_folder["x.bmap"], text.Replace("<ImageSize> 8388708", "<ImageSize> 8388709", StringComparison.Ordinal));

        var error = Assert.Throws<UserError>(() => BlockMap.Read(_folder["x.bmap"]));

        Assert.Contains("checksum", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<bmap version=\"2.0\"></bmap>")]
    [InlineData("<!DOCTYPE x [<!ENTITY a \"b\">]><bmap>&a;</bmap>")]
    [InlineData("no xml")]
    public void Read_AnythingElse_IsRefused(string text) => Assert.Throws<UserError>(() => BlockMap.Read(_folder.Write("x.bmap", text)));

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
    }
}
