using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Appliance.Core.Chunks;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Chunks;
using Microsoft.Win32.SafeHandles;

namespace UpdateClient.Tests.Chunks;

/// <summary>A published payload, a device's old content, and a source that may lie.</summary>
internal sealed class ChunkScene : IRepositorySource, IDisposable
{
    private const string DataPath = "objects/data";
    private static readonly ConcurrentDictionary<string, Task<(byte[] Index, byte[] Data)>> Published = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("chunks");
    private readonly List<SafeFileHandle> _open = [];

    public byte[] Payload { get; private set; } = [];
    public byte[] IndexBytes { get; private set; } = [];
    public byte[] Data { get; set; } = [];
    public ChunkIndex Index => ChunkIndex.Parse(IndexBytes);
    public long Fetched { get; private set; }

    /// <summary>Changes what a range is answered with.</summary>
    public Func<ByteRange, byte[], byte[]?>? Answer { get; set; }

    public static async Task<ChunkScene> PublishAsync(byte[] payload)
    {
        var scene = new ChunkScene { Payload = payload };
        // Packing is what takes the time here; several tests have the same payload.
        var (index, data) = await Published.GetOrAdd(Convert.ToHexString(SHA256.HashData(payload)), _ => PackAsync(scene["payload"], payload));
        (scene.IndexBytes, scene.Data) = (index, (byte[])data.Clone());
        return scene;
    }

    private static async Task<(byte[] Index, byte[] Data)> PackAsync(string path, byte[] payload)
    {
        await File.WriteAllBytesAsync(path, payload);
        using MemoryStream index = new(), data = new();
        await ChunkPublisher.WriteAsync(path, index, data, null, CancellationToken.None);
        return (index.ToArray(), data.ToArray());
    }

    public string this[string name] => Path.Combine(_folder.FullName, name);

    public ChunkSeed Seed(string name, byte[] content, bool isTarget = false)
    {
        File.WriteAllBytes(this[name], content);
        return new ChunkSeed(Open(name), content.Length, isTarget);
    }

    public SafeFileHandle Open(string name)
    {
        var file = File.OpenHandle(this[name], FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        _open.Add(file);
        return file;
    }

    public Task<ChunkWay> PlanAsync(params ChunkSeed[] seeds) => PlanAsync(0, seeds);

    public Task<ChunkWay> PlanAsync(long offset, params ChunkSeed[] seeds) =>
        ChunkWay.PlanAsync(Index, this, DataPath, seeds, seeds.FirstOrDefault(seed => seed.IsTarget)?.File ?? Open("target"), offset, null, CancellationToken.None);

    public static async Task<byte[]> ReadAsync(ChunkWay way, long offset = 0)
    {
        await using var stream = await way.OpenAsync(offset, CancellationToken.None);
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy, 10_007);
        return copy.ToArray();
    }

    public Task<byte[]?> TryReadAsync(string path, int limit, CancellationToken cancellationToken) => throw new NotSupportedException();

    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadRangesAsync(string path, IReadOnlyList<ByteRange> ranges, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Assert.Equal(DataPath, path);
        long end = 0;
        foreach (var range in ranges)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Assert.True(range.Offset >= end && range.Length is > 0 and <= 1 << 20, "ranges ascend and are bounded");
            end = range.Offset + range.Length;
            var bytes = Data[(int)range.Offset..(int)end];
            if (Answer is not null)
            {
                if (Answer(range, bytes) is not { } answer) yield break;
                bytes = answer;
            }
            Fetched += bytes.Length;
            await Task.Yield();
            yield return bytes;
            Array.Clear(bytes); // the memory is the reader's only until it asks for more
        }
    }

    public void Dispose()
    {
        foreach (var file in _open) file.Dispose();
        _folder.Delete(recursive: true);
    }
}
