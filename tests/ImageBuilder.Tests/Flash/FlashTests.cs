using System.Diagnostics;
using Appliance.Core;
using Appliance.ImageBuilder.BlockMaps;
using Appliance.ImageBuilder.Flash;

namespace ImageBuilder.Tests.Flash;

public sealed class FlashTests : IDisposable
{
    private readonly Temporary _folder = new();
    private readonly string _image;

    public FlashTests()
    {
        _image = _folder["disk.img"];
        using (var file = File.OpenHandle(_image, FileMode.Create, FileAccess.Write)) RandomAccess.SetLength(file, 16 << 20);
        Run("label: gpt\nsize=4MiB, name=one\nsize=4MiB, name=two\n", "sfdisk", "--quiet", _image);
        using (var file = File.OpenHandle(_image, FileMode.Open, FileAccess.Write))
        {
            var data = new byte[1 << 20];
            new Random(7).NextBytes(data);
            RandomAccess.Write(file, data, 2 << 20);
        }
        BlockMap.Create(_image).Write(_image + ".bmap");
    }

    public void Dispose() => _folder.Dispose();

    private static async Task<int> FlashAsync(params string[] arguments) =>
        await FlashCommand.Create().Parse(arguments).InvokeAsync(new() { EnableDefaultExceptionHandler = false }, TestContext.Current.CancellationToken);

    [Fact]
    public async Task Flash_ToAFile_GivesTheImage()
    {
        Assert.Equal(0, await FlashAsync(_image, _folder["copy"]));

        Assert.Equal(await File.ReadAllBytesAsync(_image, TestContext.Current.CancellationToken), await File.ReadAllBytesAsync(_folder["copy"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Flash_TheCompressedImageToALargerDisk_WritesItAndMovesTheBackupTable()
    {
        using var disk = new LoopDevice(_folder["device"], 32 << 20);
        Run("", "zstd", "--quiet", _image, "-o", _image + ".zst");

        Assert.Equal(0, await FlashAsync(_image + ".zst", disk.Path, "--yes"));

        Assert.DoesNotContain("corrupt", Run("", "sfdisk", "--verify", disk.Path), StringComparison.OrdinalIgnoreCase);
        var lastSector = new byte[8];
        using var file = File.OpenHandle(_folder["device"]);
        RandomAccess.Read(file, lastSector, (32 << 20) - 512);
        Assert.Equal("EFI PART"u8.ToArray(), lastSector);
        var (expected, actual) = (new byte[1 << 20], new byte[1 << 20]);
        using (var source = File.OpenHandle(_image)) RandomAccess.Read(source, expected, 2 << 20);
        RandomAccess.Read(file, actual, 2 << 20);
        Assert.Equal(expected, actual);
    }

    [Fact]
    public async Task Flash_ADamagedImage_IsRefused()
    {
        using (var file = File.OpenHandle(_image, FileMode.Open, FileAccess.Write)) RandomAccess.Write(file, [1, 2, 3], (2 << 20) + 5);

        var error = await Assert.ThrowsAsync<UserError>(() => FlashAsync(_image, _folder["copy"]));

        Assert.Contains("differ from its block map", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Flash_ToADiskThatIsTooSmall_IsRefusedBeforeAnythingIsWritten()
    {
        using var disk = new LoopDevice(_folder["device"], 8 << 20);

        var error = await Assert.ThrowsAsync<UserError>(() => FlashAsync(_image, disk.Path, "--yes"));

        Assert.Contains("too small", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(await File.ReadAllBytesAsync(_folder["device"], TestContext.Current.CancellationToken), value => value != 0);
    }

    [Fact]
    public async Task Flash_ToAMountedDisk_IsRefused()
    {
        using var disk = new LoopDevice(_folder["device"], 32 << 20);
        Run("", "mkfs.ext4", "-q", disk.Path);
        var mountPoint = Directory.CreateDirectory(_folder["mnt"]).FullName;
        Run("", "mount", disk.Path, mountPoint);
        try
        {
            var error = await Assert.ThrowsAsync<UserError>(() => FlashAsync(_image, disk.Path, "--yes"));
            Assert.Contains($"{mountPoint} is mounted from it", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            Run("", "umount", mountPoint);
        }
    }

    [Theory]
    [InlineData("/dev/null")]
    [InlineData("/dev/no-such-disk")]
    public async Task Flash_ToWhatIsNoDisk_IsRefused(string device)
    {
        var error = await Assert.ThrowsAsync<UserError>(() => FlashAsync(_image, device, "--yes"));

        Assert.Contains("is not a disk", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Flash_ToTheDiskOfTheRunningSystem_IsRefused()
    {
        var device = File.ReadLines("/proc/self/mountinfo").Select(line => line.Split(' ')).First(fields => fields[4] == "/")[2];
        var uevent = $"/sys/dev/block/{device}/uevent";
        Assert.SkipUnless(File.Exists(uevent), "the root file system is on no block device here");
        var name = File.ReadLines(uevent).First(line => line.StartsWith("DEVNAME=", StringComparison.Ordinal))[8..];

        await Assert.ThrowsAsync<UserError>(() => FlashAsync(_image, $"/dev/{name}", "--yes"));
    }

    internal static string Run(string input, string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        var errors = Task.Run(process.StandardError.ReadToEnd);
        var output = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {output}");
        return output;
    }

    /// <summary>A real block device over a file.</summary>
    private sealed class LoopDevice : IDisposable
    {
        public LoopDevice(string file, long size)
        {
            using (var handle = File.OpenHandle(file, FileMode.Create, FileAccess.Write)) RandomAccess.SetLength(handle, size);
            Path = Run("", "losetup", "--find", "--show", file).Trim();
        }

        public string Path { get; }

        public void Dispose() => Run("", "losetup", "--detach", Path);
    }
}
