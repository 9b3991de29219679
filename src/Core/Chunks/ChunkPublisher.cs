using Microsoft.Win32.SafeHandles;

namespace Appliance.Core.Chunks;

/// <summary>Makes the index and the data file of a payload, from which devices with any old content get it. Equal payloads give equal bytes, whatever the number of cores.</summary>
public static class ChunkPublisher
{
    private const int WindowBits = 20;
    private const int SegmentSize = 16 << 20;

    /// <summary>Cuts and packs a payload.</summary>
    /// <param name="path">The plain payload.</param>
    /// <param name="index">Gets the index.</param>
    /// <param name="data">Gets the frames and the lists.</param>
    /// <param name="progress">Plain bytes packed so far, and in all.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task WriteAsync(string path, Stream index, Stream data, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        using var file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        var length = RandomAccess.GetLength(file);
        if (length > ChunkIndex.LargestPayload) throw new UserError($"{path} is {ByteSize.Format(length)} large; payloads of up to {ByteSize.Format(ChunkIndex.LargestPayload)} can be cut.");
        var sizes = ChunkSizes.For(length);
        var code = FrameTraining.FindCode(file, length);
        var writer = new ChunkIndexWriter(sizes, WindowBits, code);
        var primes = await FrameTraining.LearnAsync(file, length, sizes, code, cancellationToken);
        using var lists = new MemoryStream();
        long done = 0, frames = 0;
        foreach (var running in Pipeline(Segments(file, length, sizes, cancellationToken), segment => Pack(file, segment, sizes, code, primes, cancellationToken)))
        {
            var packed = await running;
            await data.WriteAsync(packed.Frames, cancellationToken);
            foreach (var big in packed.Bigs)
            {
                writer.Add(big.Hash, big.Length, big.Chunks.Length);
                ChunkList.Write(lists, sizes, frames, big.Chunks);
                frames += big.Chunks.Sum(chunk => (long)chunk.PackedLength);
                done += big.Length;
            }
            progress?.Invoke(done, length);
        }
        lists.Position = 0;
        await lists.CopyToAsync(data, cancellationToken);
        await index.WriteAsync(writer.ToBytes(primes, frames), cancellationToken);
    }

    /// <summary>Cuts the payload into segments of whole big chunks that can be packed at the same time.</summary>
    private static IEnumerable<Segment> Segments(SafeFileHandle file, long length, ChunkSizes sizes, CancellationToken cancellationToken)
    {
        var scanner = new ChunkScanner(file, length, sizes, tolerant: false);
        List<Big> history = [], bigs = [];
        var chunks = new List<ListedChunk>();
        long start = 0;
        while (scanner.MoveNext())
        {
            chunks.Add(new ListedChunk(ChunkScanner.ShortHash(scanner.Bytes), scanner.Length, 0));
            if (!scanner.EndsBig) continue;
            cancellationToken.ThrowIfCancellationRequested();
            bigs.Add(new Big(ChunkScanner.Hash(scanner.BigBytes), scanner.BigLength, chunks.ToArray()));
            chunks.Clear();
            var end = scanner.BigOffset + scanner.BigLength;
            if (end - start < SegmentSize && end < length) continue;
            yield return new Segment(history, bigs, start);
            history = Last([.. history, .. bigs]);
            (start, bigs) = (end, []);
        }
    }

    /// <summary>The big chunks at the end that frames after them may point into.</summary>
    private static List<Big> Last(List<Big> bigs)
    {
        var first = bigs.Count;
        for (var length = 0; first > 0 && length < 1 << WindowBits; length += bigs[first].Length) first--;
        return bigs[first..];
    }

    /// <summary>Runs work on every core, with the results in order and only a few ahead.</summary>
    private static IEnumerable<Task<TResult>> Pipeline<TItem, TResult>(IEnumerable<TItem> items, Func<TItem, TResult> work)
    {
        var running = new Queue<Task<TResult>>();
        foreach (var item in items)
        {
            running.Enqueue(Task.Run(() => work(item)));
            if (running.Count > Environment.ProcessorCount) yield return running.Dequeue();
        }
        while (running.TryDequeue(out var task)) yield return task;
    }

    private static (ReadOnlyMemory<byte> Frames, List<Big> Bigs) Pack(SafeFileHandle file, Segment segment, ChunkSizes sizes, MachineCode code, FramePrimes primes, CancellationToken cancellationToken)
    {
        // Places in the buffer keep the last two bits of those in the payload; the frame coder looks at them.
        var historyLength = segment.History.Sum(big => big.Length);
        var start = segment.Start - historyLength;
        var margin = (int)(start & 3);
        var length = historyLength + segment.Bigs.Sum(big => big.Length);
        var bytes = new byte[margin + length];
        ReadExactly(file, bytes.AsSpan(margin), start);
        var position = margin;
        foreach (var chunk in segment.History.Concat(segment.Bigs).SelectMany(big => big.Chunks))
        {
            AddressFilter.MakeAbsolute(code, bytes.AsSpan(position, chunk.Length), start - margin + position);
            position += chunk.Length;
        }
        var finder = new MatchFinder(bytes, bytes.Length, 1 << WindowBits);
        for (position = 0; position < margin + historyLength; position++) finder.Insert(position, []);
        var encoder = new FrameEncoder(bytes, finder, sizes.SmallMax, primes);
        using var frames = new MemoryStream(length / 2);
        // Other segments look at these while they are packed, so what is learned goes to copies.
        var bigs = segment.Bigs.ConvertAll(big => big with { Chunks = [.. big.Chunks] });
        foreach (var big in bigs)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (var i = 0; i < big.Chunks.Length; i++)
            {
                var chunk = big.Chunks[i];
                var packed = encoder.Encode(position, chunk.Length);
                frames.Write(packed);
                big.Chunks[i] = chunk with { PackedLength = packed.Length };
                position += chunk.Length;
            }
        }
        return (frames.GetBuffer().AsMemory(0, (int)frames.Length), bigs);
    }

    internal static void ReadExactly(SafeFileHandle file, Span<byte> target, long offset)
    {
        if (file.ReadUpTo(target, offset) < target.Length) throw new EndOfStreamException("the payload became shorter while it was read");
    }

    private sealed record Segment(List<Big> History, List<Big> Bigs, long Start);

    private sealed record Big(ulong Hash, int Length, ListedChunk[] Chunks);
}
