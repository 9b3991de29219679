using System.Diagnostics;
using System.Security.Cryptography;
using Appliance.Core;
using Appliance.Core.Bundles;

namespace Core.Tests;

public sealed class BundleTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bundle");

    public void Dispose() => _folder.Delete(recursive: true);

    private string this[string name] => Path.Combine(_folder.FullName, name);

    private static BundleHeader Header => new()
    {
        Id = "edge",
        Version = "1.0",
        Board = "vm",
        Architecture = "amd64",
        RootHash = new string('a', 64),
        Salt = "00",
        SourceDate = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero),
    };

    /// <summary>Two payloads: one of several frames with a cut last one, one that is empty.</summary>
    private async Task<string> WriteAsync(string name = "x.bundle", int rootSize = (9 << 20) + 123)
    {
        var root = new byte[rootSize];
        new Random(3).NextBytes(root.AsSpan(0, rootSize / 2));
        await File.WriteAllBytesAsync(this["root"], root);
        await File.WriteAllBytesAsync(this["uki"], []);
        var packed = await BundleWriter.PackAsync(new("root.erofs", BundlePayloadKind.Root, this["root"]), this["root.packed"], null, CancellationToken.None);
        var uki = await BundleWriter.PackAsync(new("uki.efi", BundlePayloadKind.Uki, this["uki"]), this["uki.packed"], null, CancellationToken.None);
        await BundleWriter.WriteAsync(Header, [packed, uki], this[name], CancellationToken.None);
        return this[name];
    }

    private static async Task<Dictionary<string, byte[]>> ReadAllAsync(Stream stream)
    {
        var all = new Dictionary<string, byte[]>();
        await using var reader = await BundleReader.OpenAsync(stream, "x.bundle", CancellationToken.None);
        while (true)
        {
            var plain = new MemoryStream();
            var payload = await reader.ReadNextAsync(bytes => plain.WriteAsync(bytes), CancellationToken.None);
            if (payload is null) return all;
            all[payload.Name] = plain.ToArray();
        }
    }

    /// <summary>A stream that cannot seek and gives a few bytes at a time, as a network does.</summary>
    private sealed class Trickle(Stream inner) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, Math.Min(count, 5003));
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => inner.ReadAsync(buffer[..Math.Min(buffer.Length, 5003)], cancellationToken);
        public override void Flush() => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }

    [Fact]
    public async Task Read_FromAStreamThatTrickles_GivesThePayloadsBack()
    {
        var path = await WriteAsync();
        await using var file = File.OpenRead(path);

        var payloads = await ReadAllAsync(new Trickle(file));

        Assert.Equal(await File.ReadAllBytesAsync(this["root"]), payloads["root.erofs"]);
        Assert.Empty(payloads["uki.efi"]);
    }

    [Fact]
    public async Task Write_Twice_GivesTheSameBytes_AndLeavesNothingElse()
    {
        var first = SHA256.HashData(await File.ReadAllBytesAsync(await WriteAsync("a.bundle")));
        var second = SHA256.HashData(await File.ReadAllBytesAsync(await WriteAsync("b.bundle")));

        Assert.Equal(first, second);
        Assert.DoesNotContain(_folder.EnumerateFiles(), file => file.Name.EndsWith(".partial", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Tar_ListsTheMembers_ManifestFirst()
    {
        using var tar = Process.Start(new ProcessStartInfo("tar", ["-tf", await WriteAsync()]) { RedirectStandardOutput = true })!;

        Assert.Equal("manifest.json\npayloads/root.erofs.zst\npayloads/uki.efi.zst\n", await tar.StandardOutput.ReadToEndAsync());
    }

    [Fact]
    public async Task Read_ANewerFormat_SaysToUpdate()
    {
        var bytes = await File.ReadAllBytesAsync(await WriteAsync(rootSize: 10));
        var at = bytes.AsSpan().IndexOf("\"format\":1"u8);
        bytes[at + 9] = (byte)'2';

        var error = await Assert.ThrowsAsync<UserError>(() => ReadAllAsync(new MemoryStream(bytes)));

        Assert.Contains("format 2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_ABundleCutAnywhere_IsRefused()
    {
        var bytes = await File.ReadAllBytesAsync(await WriteAsync(rootSize: 3000));
        for (var length = 0; length < bytes.Length - 1024; length += 97)
            await Assert.ThrowsAsync<UserError>(() => ReadAllAsync(new MemoryStream(bytes, 0, length)));
    }

    [Fact]
    public async Task Read_ADamagedBundle_NeverGivesOtherBytesAndNeverFailsOtherwise()
    {
        var original = await File.ReadAllBytesAsync(await WriteAsync(rootSize: 20_000));
        var expected = await File.ReadAllBytesAsync(this["root"]);
        for (var seed = 0; seed < 3000; seed++)
        {
            var random = new Random(seed);
            var bytes = original.ToArray();
            for (var edits = random.Next(1, 4); edits > 0; edits--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            try
            {
                var payloads = await ReadAllAsync(new MemoryStream(bytes));
                Assert.Equal(expected, payloads.Single(payload => payload.Value.Length > 0).Value);
            }
            catch (UserError)
            {
                // refused, as it should be
            }
        }
    }

    [Fact]
    public async Task Pack_Cancelled_LeavesNothing()
    {
        await File.WriteAllBytesAsync(this["root"], new byte[20 << 20]);
        using var cancel = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => BundleWriter.PackAsync(new("root.erofs", BundlePayloadKind.Root, this["root"]), this["packed"], (_, _) => cancel.Cancel(), cancel.Token));

        Assert.Equal(["root"], _folder.EnumerateFiles().Select(file => file.Name));
    }

    [Fact]
    public async Task Frames_OneAfterAnother_AreAStreamThatZstdReads()
    {
        await WriteAsync();
        using (var source = File.OpenHandle(this["root"]))
        await using (var target = File.Create(this["all.zst"]))
        {
            await FrameCompressor.CompressAsync(source, 0, (9 << 20) + 123, target, null, CancellationToken.None);
            await FrameCompressor.WriteZerosAsync((4 << 20) + 77, target, CancellationToken.None);
        }

        using (var zstd = Process.Start("zstd", ["--decompress", "--quiet", this["all.zst"], "-o", this["plain"]])) await zstd.WaitForExitAsync();

        var expected = (await File.ReadAllBytesAsync(this["root"])).Concat(new byte[(4 << 20) + 77]).ToArray();
        Assert.Equal(expected, await File.ReadAllBytesAsync(this["plain"]));
    }
}
