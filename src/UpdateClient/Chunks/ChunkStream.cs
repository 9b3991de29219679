using Appliance.Core;
using Appliance.Core.Chunks;
using Appliance.UpdateClient.Install;
using Microsoft.Win32.SafeHandles;

namespace Appliance.UpdateClient.Chunks;

/// <summary>
/// A payload put together from seeds and fetched frames, strictly forward. Every big chunk is verified before a byte of it is
/// handed on; one that cannot be put together as planned, because a seed changed or cannot be read, is fetched as a whole.
/// </summary>
internal sealed class ChunkStream : ForwardStream
{
    private const int Room = 1 << 20;
    private readonly ChunkPlan _plan;
    private readonly ChunkIndex _index;
    private readonly IRepositorySource _source;
    private readonly string _dataPath;
    private readonly IReadOnlyList<ChunkSeed> _seeds;
    private readonly SafeFileHandle _written;
    private readonly CancellationToken _cancellationToken;
    private readonly FrameWindow _frames;
    private readonly RangeFeed _feed;
    private readonly byte[] _buffer; // what frames may need, and chunks after it
    private readonly int _reach;
    private long _skip;
    private int _filled, _handedOn, _big;

    public ChunkStream(ChunkPlan plan, IRepositorySource source, string dataPath, IReadOnlyList<ChunkSeed> seeds, SafeFileHandle written, long offset, CancellationToken cancellationToken)
    {
        (_plan, _index, _source, _dataPath, _seeds, _written, _cancellationToken) = (plan, plan.Index, source, dataPath, seeds, written, cancellationToken);
        ArgumentOutOfRangeException.ThrowIfLessThan(offset, _index.OffsetOf(plan.First));
        _frames = new FrameWindow(_index);
        _big = offset == _index.PayloadLength ? _index.Count : _index.Find(offset);
        _reach = FrameWindow.Reach(_index);
        _buffer = new byte[_reach + ChunkSizes.LargestBig + Room];
        _feed = new RangeFeed(source, dataPath, plan.FramesFrom(_big), cancellationToken);
        if (_big < _index.Count) ReadWritten(offset);
    }

    /// <summary>Gives the next bytes.</summary>
    /// <exception cref="InvalidDataException">What the repository gives is damaged.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (_handedOn == _filled)
        {
            if (_big == _index.Count || buffer.IsEmpty) return 0;
            await AppendAsync(_big++);
            var skipped = (int)Math.Min(_skip, _filled - _handedOn);
            _handedOn += skipped;
            _skip -= skipped;
        }
        var count = Math.Min(buffer.Length, _filled - _handedOn);
        _buffer.AsMemory(_handedOn, count).CopyTo(buffer);
        _handedOn += count;
        return count;
    }

    public override async ValueTask DisposeAsync()
    {
        await _feed.DisposeAsync();
        await base.DisposeAsync();
    }

    /// <summary>After a resume, what frames may point to is in the target.</summary>
    private void ReadWritten(long offset)
    {
        var start = _index.OffsetOf(_big);
        var first = Math.Max(0, start - _reach);
        _filled = (int)(start - first);
        if (_written.ReadUpTo(_buffer.AsSpan(0, _filled), first) < _filled) throw new InvalidDataException("the target does not have the bytes that were written to it");
        _handedOn = _filled;
        _skip = offset - start;
    }

    /// <summary>Puts a big chunk together at the end of the buffer.</summary>
    private async ValueTask AppendAsync(int big)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        var length = _index.LengthOf(big);
        if (_filled + length > _buffer.Length)
        {
            var drop = _filled - _reach;
            _buffer.AsSpan(drop, _filled - drop).CopyTo(_buffer);
            _filled -= drop;
            _handedOn -= drop;
        }
        var missing = _plan.MissingOf(big);
        var whole = missing is not { } parts ? Copy(_plan.PlaceOf(big), _filled, length) : await AssembleAsync(big, parts);
        if (!(whole && Matches(big))) await FetchAsync(big, missing?.List);
        _filled += length;
    }

    private bool Matches(int big) => ChunkScanner.Hash(_buffer.AsSpan(_filled, _index.LengthOf(big))) == _index.HashOf(big);

    private bool Copy(SeedPlace place, int position, int length)
    {
        try
        {
            return _seeds[place.Seed].File.ReadUpTo(_buffer.AsSpan(position, length), place.Offset) == length;
        }
        catch (IOException)
        {
            return false; // a bad block in a seed: the chunk is fetched
        }
    }

    private async ValueTask<bool> AssembleAsync(int big, MissingChunk missing)
    {
        var position = _filled;
        var (offset, chunks) = ChunksOf(missing.List, big);
        _frames.Begin(big, _buffer.AsSpan(0, _filled));
        for (var i = 0; i < chunks.Length; i++)
        {
            var chunk = chunks[i];
            var place = missing.Places.Span[i];
            if (place.Exists)
            {
                if (!Copy(place, position, chunk.Length)) return false;
                _frames.AddPlain(_buffer.AsSpan(position, chunk.Length));
            }
            else if (!TryUnpack(await _feed.ReadAsync(offset, chunk.PackedLength), position, chunk.Length)) return false;
            position += chunk.Length;
            offset += chunk.PackedLength;
        }
        return true;
    }

    /// <summary>Fetches a big chunk as a whole; what it then does not match is damaged in the repository.</summary>
    private async Task FetchAsync(int big, ReadOnlyMemory<byte>? list)
    {
        var (offset, chunks) = ChunksOf(list ?? await FetchAsync(_index.ListOffsetOf(big), _index.ListLengthOf(big)), big);
        ReadOnlyMemory<byte> frames = await FetchAsync(offset, chunks.Sum(chunk => chunk.PackedLength));
        var position = _filled;
        _frames.Begin(big, _buffer.AsSpan(0, _filled));
        foreach (var chunk in chunks)
        {
            if (!TryUnpack(frames[..chunk.PackedLength], position, chunk.Length)) throw Damaged(big);
            frames = frames[chunk.PackedLength..];
            position += chunk.Length;
        }
        if (!Matches(big)) throw Damaged(big);
    }

    private (long Offset, ListedChunk[] Chunks) ChunksOf(ReadOnlyMemory<byte> bytes, int big)
    {
        var list = ChunkList.Parse(bytes.Span, _index, big);
        var chunks = new ListedChunk[list.Count];
        for (var i = 0; i < chunks.Length; i++) chunks[i] = list[i];
        return (list.FrameOffset, chunks);
    }

    private async Task<byte[]> FetchAsync(long offset, int length)
    {
        await foreach (var bytes in _source.ReadRangesAsync(_dataPath, [new ByteRange(offset, length)], _cancellationToken))
        {
            if (bytes.Length == length) return bytes.ToArray();
        }
        throw new InvalidDataException("the source gave a range of another length than was asked for");
    }

    private bool TryUnpack(ReadOnlyMemory<byte> packed, int position, int length)
    {
        try
        {
            _frames.AddFrame(packed.Span, _buffer.AsSpan(position, length));
            return true;
        }
        catch (InvalidDataException)
        {
            return false; // after a wrong chunk before it a frame makes no sense; on its own it is damaged
        }
    }

    private static InvalidDataException Damaged(int big) => new($"big chunk {big} in the repository does not match the index");
}
