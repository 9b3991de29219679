using System.Diagnostics;
using Appliance.Core.Delta;

namespace Core.Tests.Delta;

public sealed class ErofsReaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("erofs-").FullName;

    [Fact]
    public void FilesOfARealImage_AreFoundWhereTheirBytesAre()
    {
        var image = MakeImage();
        var bytes = File.ReadAllBytes(image);
        using var handle = File.OpenHandle(image);

        var files = ErofsReader.ReadFiles(handle, bytes.Length);

        // Files that end within a block may be stored beside their inode; those are not in one piece.
        Assert.Equal(300, files.Count(file => file.Path.StartsWith("/many/", StringComparison.Ordinal)));
        Assert.All(files, file => Assert.Equal(File.ReadAllBytes(Path.Combine(_folder, "tree" + file.Path)), bytes[(int)file.Offset..(int)(file.Offset + file.Length)]));
        Assert.Equal(files.OrderBy(file => file.Offset), files);
    }

    [Fact]
    public void ADamagedImage_IsReadAsFarAsItGoes_OrNotAtAll()
    {
        var bytes = File.ReadAllBytes(MakeImage());
        var random = new Random(1);
        for (var round = 0; round < 200; round++)
        {
            var damaged = bytes.ToArray();
            for (var i = 0; i < 50; i++) damaged[1024 + random.Next(damaged.Length - 1024)] = (byte)random.Next(256);
            var path = Path.Combine(_folder, "damaged");
            File.WriteAllBytes(path, round % 5 == 0 ? damaged[..random.Next(damaged.Length)] : damaged);
            using var handle = File.OpenHandle(path);
            var length = RandomAccess.GetLength(handle);

            Assert.All(ErofsReader.ReadFiles(handle, length), file => Assert.InRange(file.Offset + file.Length, 1, length));
        }
    }

    [Fact]
    public void SomethingElse_HasNoFiles()
    {
        var path = Path.Combine(_folder, "zeros");
        File.WriteAllBytes(path, new byte[100_000]);
        using var handle = File.OpenHandle(path);

        Assert.Empty(ErofsReader.ReadFiles(handle, 100_000));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string MakeImage()
    {
        var random = new Random(7);
        for (var i = 0; i < 300; i++) Write($"many/a-file-with-a-long-name-{i}", 4096 * random.Next(1, 5));
        Write("deep/er/still/file", 3 * 4096);
        Write("deep/odd", 5000);
        Directory.CreateDirectory(Path.Combine(_folder, "tree", "empty"));
        File.CreateSymbolicLink(Path.Combine(_folder, "tree", "link"), "deep/odd");
        var image = Path.Combine(_folder, "image");
        using var mkfs = Process.Start(new ProcessStartInfo("mkfs.erofs", ["--quiet", "-T0", image, Path.Combine(_folder, "tree")]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        mkfs.WaitForExit();
        Assert.Equal(0, mkfs.ExitCode);
        return image;

        void Write(string name, int size)
        {
            var bytes = new byte[size];
            random.NextBytes(bytes);
            var path = Path.Combine(_folder, "tree", name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, bytes);
        }
    }
}
