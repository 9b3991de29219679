using Appliance.Core.Chunks;

namespace Core.Tests.Chunks;

public sealed class ChunkPublisherTests : IDisposable
{
    private static readonly string Corpus = Path.Combine(AppContext.BaseDirectory, "Chunks", "Corpus");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("chunks");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5_000)]
    [InlineData(900_001)]
    public async Task The_chunks_and_frames_make_up_the_payload(int length)
    {
        var payload = Sample.Payload(length, length);
        var (indexBytes, data) = await PublishAsync(payload);
        var index = ChunkIndex.Parse(indexBytes);
        Assert.Equal(length, index.PayloadLength);
        Assert.Equal(data.Length, index.DataLength);
        var target = new byte[length];
        var frames = new FrameWindow(index);
        for (var big = 0; big < index.Count; big++)
        {
            var list = ChunkList.Parse(data.AsSpan((int)index.ListOffsetOf(big), index.ListLengthOf(big)), index, big);
            frames.Begin(big, target.AsSpan(0, (int)index.OffsetOf(big)));
            int from = (int)list.FrameOffset, to = (int)index.OffsetOf(big);
            for (var i = 0; i < list.Count; i++)
            {
                frames.AddFrame(data.AsSpan(from, list[i].PackedLength), target.AsSpan(to, list[i].Length));
                Assert.Equal(list[i].ShortHash, ChunkScanner.ShortHash(target.AsSpan(to, list[i].Length)));
                (from, to) = (from + list[i].PackedLength, to + list[i].Length);
            }
            Assert.Equal(index.HashOf(big), ChunkScanner.Hash(target.AsSpan((int)index.OffsetOf(big), index.LengthOf(big))));
        }
        Assert.Equal(payload, target);
    }

    [Fact]
    public async Task Equal_payloads_give_equal_bytes()
    {
        var payload = Sample.Payload(7, 700_000);
        var (index1, data1) = await PublishAsync(payload);
        var (index2, data2) = await PublishAsync(payload);
        Assert.Equal(index1, index2);
        Assert.Equal(data1, data2);
    }

    [Fact]
    public async Task An_edit_changes_only_the_chunks_around_it()
    {
        var payload = Sample.Payload(8, 700_000);
        var (before, _) = await PublishAsync(payload);
        var (after, _) = await PublishAsync([.. payload[..300_000], 1, 2, 3, .. payload[300_000..]]);
        var known = Hashes(before).ToHashSet();
        Assert.InRange(Hashes(after).Count(hash => !known.Contains(hash)), 1, 3);
    }

    [Fact]
    public async Task Refuses_damaged_indexes_and_lists_with_the_right_error()
    {
        var (index, data) = await PublishAsync(Sample.Payload(9, 600_000));
        var good = ChunkIndex.Parse(index);
        var list = data.AsSpan((int)good.ListOffsetOf(1), good.ListLengthOf(1)).ToArray();
        var random = new Random(4);
        for (var run = 0; run < 3_000; run++)
        {
            TryParse(() => ChunkIndex.Parse(Damage(index, random)));
            TryParse(() => ChunkList.Parse(Damage(list, random), good, 1));
        }
    }

    public static TheoryData<string> CorpusFiles() => [.. Directory.GetFiles(Corpus).Select(file => Path.GetFileName(file))];

    [Theory]
    [MemberData(nameof(CorpusFiles))]
    public void Refuses_every_index_of_the_corpus_but_the_good_one(string file)
    {
        var bytes = File.ReadAllBytes(Path.Combine(Corpus, file));
        if (file == "good.index") Assert.Equal(150_000, ChunkIndex.Parse(bytes).PayloadLength);
        else Assert.Throws<InvalidDataException>(() => ChunkIndex.Parse(bytes));
    }

    [Fact]
    public void Refuses_an_index_that_claims_more_than_it_has_without_allocating()
    {
        var header = new byte[ChunkIndex.HeaderSize + 100];
        BitConverter.TryWriteBytes(header, ChunkIndex.Magic);
        BitConverter.TryWriteBytes(header.AsSpan(8), 1L << 35);
        BitConverter.TryWriteBytes(header.AsSpan(24), 100_000_000);
        (header[32], header[33], header[34]) = (10, 16, 20);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() => ChunkIndex.Parse(header));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    private static void TryParse(Action parse)
    {
        try
        {
            parse();
        }
        catch (InvalidDataException)
        {
        }
    }

    private static byte[] Damage(byte[] bytes, Random random)
    {
        var damaged = (byte[])bytes.Clone();
        for (var i = random.Next(1, 4); i > 0; i--) damaged[random.Next(3) == 0 ? random.Next(Math.Min(48, damaged.Length)) : random.Next(damaged.Length)] = (byte)random.Next(256);
        return random.Next(3) == 0 ? damaged[..random.Next(damaged.Length)] : damaged;
    }

    private static IEnumerable<ulong> Hashes(byte[] index)
    {
        var parsed = ChunkIndex.Parse(index);
        return Enumerable.Range(0, parsed.Count).Select(parsed.HashOf);
    }

    private async Task<(byte[] Index, byte[] Data)> PublishAsync(byte[] payload)
    {
        var path = Path.Combine(_folder.FullName, "payload");
        await File.WriteAllBytesAsync(path, payload);
        using MemoryStream index = new(), data = new();
        await ChunkPublisher.WriteAsync(path, index, data, null, CancellationToken.None);
        return (index.ToArray(), data.ToArray());
    }
}
