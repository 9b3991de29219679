using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Core.Chunks;

/// <summary>Cuts a file or block device into chunks, front to back, with bounded memory.</summary>
public sealed class ChunkScanner
{
    private const int ReadSize = 1 << 20;
    private const int MostReadErrors = 16;
    private readonly SafeFileHandle _file;
    private readonly long _length;
    private readonly ChunkSizes _sizes;
    private readonly bool _tolerant;
    private readonly byte[] _buffer;
    private long _bufferOffset;
    private int _filled, _errors;
    private long _next, _bigStart;

    /// <summary>Starts at the file's beginning.</summary>
    /// <param name="file">The file; only read.</param>
    /// <param name="length">How many of its bytes are looked at.</param>
    /// <param name="sizes">How to cut.</param>
    /// <param name="tolerant">Whether stretches that cannot be read are taken as zeros, up to a few.</param>
    public ChunkScanner(SafeFileHandle file, long length, ChunkSizes sizes, bool tolerant)
    {
        (_file, _length, _sizes, _tolerant) = (file, length, sizes, tolerant);
        _buffer = new byte[sizes.BigMax + sizes.SmallMax + ReadSize];
    }

    /// <summary>Length of the current small chunk.</summary>
    public int Length { get; private set; }

    /// <summary>Whether the current small chunk is the last of its big chunk.</summary>
    public bool EndsBig { get; private set; }

    /// <summary>First byte of the current big chunk.</summary>
    public long BigOffset { get; private set; }

    /// <summary>Length of the current big chunk when <see cref="EndsBig"/>.</summary>
    public int BigLength { get; private set; }

    /// <summary>A short hash that finds small chunks again; what is found is verified with its big chunk.</summary>
    public static uint ShortHash(ReadOnlySpan<byte> chunk) => (uint)XxHash3.HashToUInt64(chunk);

    /// <summary>The first eight bytes of a big chunk's SHA-256.</summary>
    public static ulong Hash(ReadOnlySpan<byte> chunk)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(chunk, hash);
        return BinaryPrimitives.ReadUInt64LittleEndian(hash);
    }

    /// <summary>Goes to the next small chunk; false at the end.</summary>
    /// <exception cref="IOException">The file cannot be read, and the scanner is not tolerant or there are too many such places.</exception>
    public bool MoveNext()
    {
        if (EndsBig) _bigStart = _next;
        if (_next == _length) return false;
        Fill();
        var at = (int)(_next - _bufferOffset);
        Length = Gear.Cut(_buffer.AsSpan(at, _filled - at), _sizes, out var endsBig);
        _next += Length;
        BigOffset = _bigStart;
        BigLength = (int)(_next - _bigStart);
        EndsBig = _next == _length || (endsBig && BigLength >= _sizes.BigMin) || BigLength + _sizes.SmallMax > _sizes.BigMax;
        return true;
    }

    /// <summary>The current small chunk's bytes; valid until the next move.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan((int)(_next - _bufferOffset) - Length, Length);

    /// <summary>The current big chunk's bytes when <see cref="EndsBig"/>; valid until the next move.</summary>
    public ReadOnlySpan<byte> BigBytes => _buffer.AsSpan((int)(_bigStart - _bufferOffset), BigLength);

    private void Fill()
    {
        if (_bufferOffset + _filled == _length || _bufferOffset + _filled - _next >= _sizes.SmallMax) return;
        // The current big chunk stays in the buffer as a whole.
        var drop = (int)(_bigStart - _bufferOffset);
        _buffer.AsSpan(drop, _filled - drop).CopyTo(_buffer);
        (_bufferOffset, _filled) = (_bigStart, _filled - drop);
        while (_filled < _buffer.Length && _bufferOffset + _filled < _length)
        {
            var wanted = (int)Math.Min(_buffer.Length - _filled, _length - _bufferOffset - _filled);
            _filled += Read(_buffer.AsSpan(_filled, wanted), _bufferOffset + _filled);
        }
    }

    private int Read(Span<byte> target, long offset)
    {
        try
        {
            var read = RandomAccess.Read(_file, target, offset);
            if (read == 0) throw new EndOfStreamException($"the file is shorter than {_length} bytes");
            return read;
        }
        catch (IOException) when (_tolerant && ++_errors <= MostReadErrors)
        {
            target.Clear();
            return target.Length;
        }
    }
}
