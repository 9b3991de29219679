using System.Buffers.Binary;
using System.Diagnostics;
using Appliance.Core.Chunks;
using UpdateClient.Tests.Install;

namespace UpdateClient.Tests.Chunks;

/// <summary>
/// What planning takes of a device's memory does not grow with the image. The payloads are gigabytes of which the device has
/// nothing: index and lists are written as a publisher would, the frames are never read.
/// </summary>
public sealed class ChunkMemoryTests : IDisposable
{
    private const int Big = 128 << 10, Small = 16 << 10, SmallBits = 14, BigBits = 17, EntrySize = 8, OffsetSize = 5;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("chunk-memory");

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>The worker takes about 20 MiB for itself and the seeds' small chunks 12 at most; 64 are what an update may take.</summary>
    [Theory]
    [InlineData(10, true)]
    [InlineData(16, false)]
    [InlineData(60, false)]
    public async Task Gigabytes_of_which_nothing_is_there_take_little_memory(long gigabytes, bool planned)
    {
        var (idle, _) = await PlanAsync(128L << 20);

        var (peak, outcome) = await PlanAsync(gigabytes << 30);

        Assert.EndsWith(planned ? " bytes" : "to be put together from chunks", outcome, StringComparison.Ordinal);
        Assert.InRange(peak - idle, 0, 30 << 20);
    }

    private async Task<(long Peak, string Outcome)> PlanAsync(long payload)
    {
        await WriteAsync((int)(payload / Big));
        using (var file = File.Create(Path.Combine(_folder.FullName, "seed"))) file.SetLength(1 << 20);
        using var process = Process.Start(new ProcessStartInfo(HostProgram.Path, ["chunks", "--index", Path.Combine(_folder.FullName, "index"), "--repo", _folder.FullName, "--data", "data", "--seed", Path.Combine(_folder.FullName, "seed")])
        {
            RedirectStandardOutput = true,
            // What is not collected yet grows with the processor's last cache, 300 MiB on some servers; a small device has about this.
            Environment = { ["DOTNET_GCgen0size"] = "100000" },
        })!;
        var output = (await process.StandardOutput.ReadToEndAsync()).Trim().Split('\t');
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return (long.Parse(output[0]), output[1]);
    }

    /// <summary>As <see cref="ChunkIndex"/> and <see cref="ChunkList"/> describe it; every frame has one byte, and every hash is another.</summary>
    private async Task WriteAsync(int count)
    {
        const int smalls = Big / Small, header = 40;
        using var scene = await ChunkScene.PublishAsync(new byte[1 << 16]);
        var primes = scene.IndexBytes.AsMemory(header, BinaryPrimitives.ReadInt32LittleEndian(scene.IndexBytes.AsSpan(28)));
        using var index = new MemoryStream();
        using var writer = new BinaryWriter(index);
        writer.Write(scene.IndexBytes.AsSpan(0, 8));
        writer.Write((long)count * Big);
        writer.Write((long)count * smalls);
        writer.Write(count);
        writer.Write(primes.Length);
        writer.Write([SmallBits, BigBits, 16, 0, 0, 0, 0, 0]);
        writer.Write(primes.Span);
        for (var big = 0; big < count; big++) writer.Write((ulong)(big + 1) * 0x9E3779B97F4A7C15);
        for (var big = 0; big < count; big++)
        {
            writer.Write7BitEncodedInt(Big);
            writer.Write7BitEncodedInt(smalls);
        }
        await File.WriteAllBytesAsync(Path.Combine(_folder.FullName, "index"), index.ToArray());

        await using var data = new FileStream(Path.Combine(_folder.FullName, "data"), FileMode.Create);
        data.Position = (long)count * smalls;
        var list = new byte[OffsetSize + (smalls * EntrySize)];
        for (var big = 0; big < count; big++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(list, (uint)(big * smalls));
            for (var small = 0; small < smalls; small++)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(list.AsSpan(OffsetSize + (small * EntrySize)), ((uint)((big * smalls) + small) + 1) * 2654435761);
                BinaryPrimitives.WriteUInt32LittleEndian(list.AsSpan(OffsetSize + (small * EntrySize) + 4), Small - 1);
            }
            await data.WriteAsync(list);
        }
    }
}
