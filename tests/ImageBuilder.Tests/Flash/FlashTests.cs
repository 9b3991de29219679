using Appliance.Core;
using Appliance.ImageBuilder.BlockMaps;
using Appliance.ImageBuilder.Flash;

namespace ImageBuilder.Tests.Flash;

public sealed class FlashTests : IDisposable
{
    private const int MiB = 1 << 20;
    private readonly Temporary _folder = new();
    private readonly string _image;

    public FlashTests() => _image = SomeDisk.Make(_folder["disk.img"]);

    public void Dispose() => _folder.Dispose();

    internal static async Task FlashAsync(params string[] arguments) =>
        Assert.Equal(0, await FlashCommand.Create().Parse(arguments).InvokeAsync(new() { EnableDefaultExceptionHandler = false }, TestContext.Current.CancellationToken));

    private static Task<UserError> RefusesAsync(params string[] arguments) => Assert.ThrowsAsync<UserError>(() => FlashAsync(arguments));

    /// <summary>The image as a file of this kind; its map lies beside it.</summary>
    private string As(string kind)
    {
        if (kind == ".zst") Tool.Run("zstd", "--quiet", _image, "-o", _image + kind);
        if (kind == ".xz") Tool.Run("xz", "--keep", "--threads=2", "--block-size=1MiB", _image);
        return kind == ".img" ? _image : _image + kind;
    }

    private static byte[] Bytes(string path) => File.ReadAllBytes(path);

    private void FillWithOldData(string name, long size)
    {
        var old = new byte[size];
        old.AsSpan().Fill(0xA5);
        File.WriteAllBytes(_folder[name], old);
    }

    [Theory]
    [InlineData(".img", false)]
    [InlineData(".zst", false)]
    [InlineData(".xz", false)]
    [InlineData(".img", true)]
    [InlineData(".zst", true)]
    [InlineData(".xz", true)]
    public async Task Flash_AsBmaptoolDoes_GivesTheSameDisk(string kind, bool isLarger)
    {
        var size = (isLarger ? 24 : 16) * MiB;
        var file = As(kind);
        using var ours = new LoopDevice(_folder["ours"], size);
        using var theirs = new LoopDevice(_folder["theirs"], size);

        await FlashAsync(file, ours.Path, "--yes");
        Tool.Run("bmaptool", "copy", file, theirs.Path);
        if (isLarger) Tool.Run("sfdisk", "--relocate", "gpt-bak-std", theirs.Path);

        Assert.Equal(Bytes(_folder["theirs"]), Bytes(_folder["ours"]));
        if (isLarger) Assert.Contains("No errors detected", Tool.Run("sfdisk", "--verify", ours.Path), StringComparison.Ordinal);
        else Assert.Equal(Bytes(_image), Bytes(_folder["ours"]));
    }

    [Theory]
    [InlineData(".img")]
    [InlineData(".zst")]
    [InlineData(".xz")]
    public async Task Flash_WithoutAMap_WritesEveryBlock(string kind)
    {
        FillWithOldData("device", 16 * MiB);
        using var disk = new LoopDevice(_folder["device"], 16 * MiB);

        await FlashAsync(As(kind), disk.Path, "--yes", "--no-bmap");

        Assert.Equal(Bytes(_image), Bytes(_folder["device"]));
    }

    [Fact]
    public async Task Flash_ToAFile_GivesTheImage_Sparse()
    {
        await FlashAsync(As(".zst"), _folder["copy"], "--no-bmap");

        Assert.Equal(Bytes(_image), Bytes(_folder["copy"]));
        Assert.InRange(long.Parse(Tool.Run("stat", "--format=%b", _folder["copy"])) * 512, MiB, 12 * MiB);
    }

    [Fact]
    public async Task Flash_ToAFileThatIsThere_AsksFirst_AndLeavesItWhenTheImageIsBad()
    {
        File.WriteAllText(_folder["copy"], "precious");

        Assert.Contains("--yes", (await RefusesAsync(_image, _folder["copy"])).Hint, StringComparison.Ordinal);
        using (var file = File.OpenHandle(_image, FileMode.Open, FileAccess.Write)) RandomAccess.Write(file, [1, 2, 3], SomeDisk.DataStart + 5);
        Assert.Contains("differ from its block map", (await RefusesAsync(_image, _folder["copy"], "--yes")).Message, StringComparison.Ordinal);

        Assert.Equal("precious", File.ReadAllText(_folder["copy"]));
        Assert.Equal(["copy"], Directory.EnumerateFiles(_folder.Folder, "copy*").Select(Path.GetFileName));
    }

    [Fact]
    public async Task Flash_ToAUsedDisk_LeavesNothingThatAFileSystemIsKnownBy()
    {
        FillWithOldData("device", 24 * MiB);
        using var disk = new LoopDevice(_folder["device"], 24 * MiB);

        await FlashAsync(_image, disk.Path, "--yes");

        // What the map leaves out of the partitions' edges, and of the disk's end.
        Assert.All(disk.Read(MiB, MiB), value => Assert.Equal(0, value));
        Assert.All(disk.Read(4 * MiB, 2 * MiB), value => Assert.Equal(0, value));
        Assert.All(disk.Read(23 * MiB, MiB - (33 * 512)), value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(".img")]
    [InlineData(".zst")]
    [InlineData(".xz")]
    public async Task Flash_ADamagedImage_IsRefused_AndLeavesADiskThatIsNone(string kind)
    {
        using (var file = File.OpenHandle(_image, FileMode.Open, FileAccess.Write)) RandomAccess.Write(file, [1, 2, 3], SomeDisk.DataStart + 5);
        using var disk = new LoopDevice(_folder["device"], 24 * MiB);
        Tool.RunWithInput("label: gpt\n", "sfdisk", "--quiet", disk.Path);

        var error = await RefusesAsync(As(kind), disk.Path, "--yes");

        Assert.Contains("differ from its block map", error.Message, StringComparison.Ordinal);
        Assert.Contains("is incomplete", error.Hint, StringComparison.Ordinal);
        Assert.All(disk.Read(0, MiB), value => Assert.Equal(0, value));
        Assert.All(disk.Read(23 * MiB, MiB), value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(".img", "its partition table is of a disk with")]
    [InlineData(".zst", "is damaged")]
    [InlineData(".xz", "is damaged")]
    public async Task Flash_ATruncatedImageWithoutAMap_IsRefused(string kind, string reason)
    {
        var file = As(kind);
        using (var handle = File.OpenHandle(file, FileMode.Open, FileAccess.Write)) RandomAccess.SetLength(handle, new FileInfo(file).Length - 600_000);
        using var disk = new LoopDevice(_folder["device"], 24 * MiB);

        var error = await RefusesAsync(file, disk.Path, "--yes", "--no-bmap");

        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.All(disk.Read(0, MiB), value => Assert.Equal(0, value));
    }

    [Fact]
    public async Task Flash_AnImageWithADamagedTable_IsRefused()
    {
        using (var file = File.OpenHandle(_image, FileMode.Open, FileAccess.Write)) RandomAccess.Write(file, [9], 512 + 60);

        Assert.Contains("partition table is damaged", (await RefusesAsync(_image, _folder["copy"], "--no-bmap")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(".img")]
    [InlineData(".zst")]
    [InlineData(".xz")]
    public async Task Flash_ToADiskThatIsTooSmall_IsRefusedBeforeAnythingIsWritten(string kind)
    {
        var file = As(kind);
        using var disk = new LoopDevice(_folder["device"], 8 * MiB);

        Assert.Contains("too small", (await RefusesAsync(file, disk.Path, "--yes")).Message, StringComparison.Ordinal);
        File.Delete(_image + ".bmap");
        Assert.Contains("too small", (await RefusesAsync(file, disk.Path, "--force", disk.Name)).Message, StringComparison.Ordinal);

        Assert.All(Bytes(_folder["device"]), value => Assert.Equal(0, value));
    }

    [Fact]
    public async Task Flash_AnImageOfUnknownSizeToADiskThatIsTooSmall_EndsCleanly()
    {
        // No partition table, no map, and a zstd stream does not say how long it is.
        File.WriteAllBytes(_folder["blob.img"], Enumerable.Repeat((byte)3, 12 * MiB).ToArray());
        using (var boot = File.OpenHandle(_folder["blob.img"], FileMode.Open, FileAccess.Write)) RandomAccess.Write(boot, [0x55, 0xAA], 510);
        Tool.Run("sh", "-c", $"zstd --quiet < '{_folder["blob.img"]}' > '{_folder["blob.img.zst"]}'");
        using var disk = new LoopDevice(_folder["device"], 8 * MiB);

        var error = await RefusesAsync(_folder["blob.img.zst"], disk.Path, "--yes");

        Assert.Contains("too small", error.Message, StringComparison.Ordinal);
        Assert.Contains("is incomplete", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Flash_ADiskThatForgetsWhatWasWritten_IsFound()
    {
        using var disk = new LoopDevice(_folder["device"], 24 * MiB);
        using var enough = new CancellationTokenSource();
        // Bytes of the medium turn bad as often as they are written.
        var failing = Task.Run(() =>
        {
            using var medium = File.OpenHandle(disk.BackingFile, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            while (!enough.IsCancellationRequested) RandomAccess.Write(medium, [0xEE, 0xEE], SomeDisk.DataStart + 4096);
        }, CancellationToken.None);

        var error = await RefusesAsync(_image, disk.Path, "--yes");

        await enough.CancelAsync();
        await failing;
        Assert.Contains("does not hold what was written", error.Message, StringComparison.Ordinal);
        Assert.All(disk.Read(0, MiB), value => Assert.Equal(0, value));
    }

    [Fact]
    public async Task Flash_ADiskThatFails_IsSaid()
    {
        // The medium is a file on a file system that has no room for it.
        var medium = Directory.CreateDirectory(_folder["medium"]).FullName;
        Tool.Run("mount", "-t", "tmpfs", "-o", "size=2560k", "none", medium);
        try
        {
            using var disk = new LoopDevice(Path.Combine(medium, "device"), 24 * MiB);
            var error = await RefusesAsync(_image, disk.Path, "--yes");
            Assert.Contains($"{disk.Path} failed while", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            Tool.Run("umount", "--lazy", medium);
        }
    }

    [Fact]
    public async Task Flash_WithAHash_AcceptsTheFileAndNoOther()
    {
        var file = As(".zst");
        var hash = Tool.Run("sha256sum", file)[..64];
        using var disk = new LoopDevice(_folder["device"], 16 * MiB);

        await FlashAsync(file, disk.Path, "--yes", "--sha256", hash.ToUpperInvariant());
        Assert.Equal(Bytes(_image), Bytes(_folder["device"]));

        var error = await RefusesAsync(file, disk.Path, "--yes", "--sha256", new string('0', 64));
        Assert.Contains(hash, error.Message, StringComparison.Ordinal);
        Assert.All(disk.Read(0, MiB), value => Assert.Equal(0, value));
        Assert.Contains("64 hexadecimal digits", (await RefusesAsync(file, disk.Path, "--yes", "--sha256", "12")).Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no such file", "There is no image")]
    [InlineData("/tmp", "is a folder")]
    public async Task Flash_WithoutAnImage_IsRefused(string image, string reason) =>
        Assert.Contains(reason, (await RefusesAsync(image, _folder["copy"])).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Flash_OfAnUnknownCompression_IsRefused()
    {
        File.WriteAllText(_folder["disk.img.gz"], "");

        Assert.Contains("Unpack it first", (await RefusesAsync(_folder["disk.img.gz"], _folder["copy"])).Hint, StringComparison.Ordinal);
    }

    /// <summary>It would be written and read back as well as an image.</summary>
    [Theory]
    [InlineData(".zst", "is a .zst file", "ends in .img.zst")]
    [InlineData(".xz", "is a .xz file", "ends in .img.xz")]
    [InlineData("page", "is no disk image", "disk.img.zst")]
    [InlineData("nothing", "is no disk image", "disk.img.zst")]
    public async Task Flash_OfWhatIsNoImage_IsRefusedBeforeAnythingIsWritten(string kind, string reason, string hint)
    {
        var file = _folder["other.img"];
        if (kind is "page" or "nothing") File.WriteAllText(file, kind is "page" ? "<html>" + new string('x', 5000) : "");
        else File.Move(As(kind), file);
        FillWithOldData("device", 16 * MiB);
        using var disk = new LoopDevice(_folder["device"], 16 * MiB);

        foreach (var target in new[] { disk.Path, _folder["copy"] })
        {
            var error = await RefusesAsync(file, target, "--yes");
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
            Assert.Contains(hint, error.Hint, StringComparison.Ordinal);
        }

        Assert.All(Bytes(_folder["device"]), value => Assert.Equal(0xA5, value));
        Assert.False(File.Exists(_folder["copy"]));
    }

    /// <summary>Where the ends of the disk are held back, nothing of it is left to be written with zeros.</summary>
    [Fact]
    public async Task Flash_APartitionBeforeTheFirstMebibyte_IsWritten()
    {
        var image = _folder["bios.img"];
        using (var file = File.OpenHandle(image, FileMode.Create, FileAccess.Write)) RandomAccess.SetLength(file, 16 * MiB);
        Tool.RunWithInput("label: gpt\nfirst-lba: 34\nstart=34, size=1000, name=bios\nstart=2048, size=4MiB, name=one\n", "sfdisk", "--quiet", image);
        Tool.Run("bmaptool", "create", "--output", image + ".bmap", image); // with the hole in it
        FillWithOldData("device", 16 * MiB);
        using var disk = new LoopDevice(_folder["device"], 16 * MiB);

        await FlashAsync(image, disk.Path, "--yes");

        Assert.Contains("No errors detected", Tool.Run("sfdisk", "--verify", disk.Path), StringComparison.Ordinal);
        Assert.All(disk.Read(34 * 512, 1000 * 512), value => Assert.Equal(0, value));
    }

    [Fact]
    public async Task Flash_WithAMapOfAnotherImage_IsRefused()
    {
        File.WriteAllBytes(_folder["other"], Enumerable.Repeat((byte)3, 16 * MiB).ToArray());
        BlockMap.Create(_folder["other"]).Write(_folder["other.bmap"]);

        Assert.Contains("differ from its block map", (await RefusesAsync(_image, _folder["copy"], "--bmap", _folder["other.bmap"])).Message, StringComparison.Ordinal);
    }
}
