using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Appliance.Core.Verity;

/// <summary>
/// Builds a dm-verity hash tree while its data goes by, in a few buffers however large the data is, to the same bytes as
/// <c>veritysetup format --hash=sha256 --data-block-size=4096 --hash-block-size=4096</c>. The superblock comes last, so that
/// an interrupted tree is none.
/// </summary>
public sealed class VerityTreeWriter
{
    /// <summary>Largest salt of the superblock, in bytes.</summary>
    public const int LargestSalt = 256;

    private const int BufferSize = 16 * VerityGeometry.BlockSize;
    private readonly byte[] _salt;
    private readonly Guid _uuid;
    private readonly Action<long, ReadOnlySpan<byte>> _write;
    private readonly Level[] _levels;
    private readonly byte[] _salted;
    private readonly byte[] _top = new byte[VerityGeometry.DigestSize];
    private long _leaves;

    /// <summary>Begins a tree.</summary>
    /// <param name="dataSize">Bytes of data, a multiple of 4096.</param>
    /// <param name="salt">The salt, at most <see cref="LargestSalt"/> bytes.</param>
    /// <param name="uuid">The superblock's UUID.</param>
    /// <param name="write">Writes bytes at an offset of the hash partition.</param>
    public VerityTreeWriter(long dataSize, ReadOnlySpan<byte> salt, Guid uuid, Action<long, ReadOnlySpan<byte>> write)
    {
        if (salt.Length > LargestSalt) throw new ArgumentException($"a salt has at most {LargestSalt} bytes", nameof(salt));
        Geometry = new VerityGeometry(dataSize);
        (_salt, _uuid, _write) = (salt.ToArray(), uuid, write);
        _levels = Geometry.LevelStarts.Select(start => new Level(start)).ToArray();
        _salted = NewSalted(salt);
    }

    /// <summary>The layout of the tree.</summary>
    public VerityGeometry Geometry { get; }

    /// <summary>
    /// Digests of whole data blocks, 32 bytes each, one after another. Needs no tree, so that several threads can work on
    /// different windows and <see cref="Append"/> takes their results in order.
    /// </summary>
    public static void HashBlocks(ReadOnlySpan<byte> data, ReadOnlySpan<byte> salt, Span<byte> digests)
    {
        var salted = NewSalted(salt);
        for (var at = 0; at < data.Length; at += VerityGeometry.BlockSize)
        {
            // dm-verity, hash type 1: the salt comes before the data.
            data.Slice(at, VerityGeometry.BlockSize).CopyTo(salted.AsSpan(salt.Length));
            SHA256.HashData(salted, digests[(at / VerityGeometry.BlockSize * VerityGeometry.DigestSize)..]);
        }
    }

    /// <summary>Takes the digests of the next data blocks.</summary>
    public void Append(ReadOnlySpan<byte> digests)
    {
        _leaves += digests.Length / VerityGeometry.DigestSize;
        if (_leaves > Geometry.DataBlocks) throw new InvalidOperationException("more digests than the data has blocks");
        if (_levels.Length == 0) digests.CopyTo(_top);
        else AppendTo(0, digests);
    }

    /// <summary>Writes what is left and the superblock, and gives the root hash in lower-case hex.</summary>
    public string Finish()
    {
        if (_leaves != Geometry.DataBlocks) throw new InvalidOperationException("fewer digests than the data has blocks");
        for (var level = 0; level < _levels.Length; level++) FinishLevel(level);
        _write(0, Superblock());
        return Convert.ToHexStringLower(_top);
    }

    private void AppendTo(int index, ReadOnlySpan<byte> digests)
    {
        var level = _levels[index];
        while (!digests.IsEmpty)
        {
            var room = Math.Min(digests.Length, level.Buffer.Length - level.Filled);
            digests[..room].CopyTo(level.Buffer.AsSpan(level.Filled));
            level.Filled += room;
            digests = digests[room..];
            if (level.Filled == level.Buffer.Length) Flush(index);
        }
    }

    private void FinishLevel(int index)
    {
        var level = _levels[index];
        var padded = (level.Filled + VerityGeometry.BlockSize - 1) / VerityGeometry.BlockSize * VerityGeometry.BlockSize;
        level.Buffer.AsSpan(level.Filled, padded - level.Filled).Clear();
        level.Filled = padded;
        Flush(index);
    }

    /// <summary>Writes a level's buffer and hands the digests of its blocks to the level above, or keeps the topmost one.</summary>
    private void Flush(int index)
    {
        var level = _levels[index];
        if (level.Filled == 0) return;
        _write(level.Next, level.Buffer.AsSpan(0, level.Filled));
        for (var at = 0; at < level.Filled; at += VerityGeometry.BlockSize)
        {
            level.Buffer.AsSpan(at, VerityGeometry.BlockSize).CopyTo(_salted.AsSpan(_salt.Length));
            SHA256.HashData(_salted, _top);
            if (index + 1 < _levels.Length) AppendTo(index + 1, _top);
        }
        level.Next += level.Filled;
        level.Filled = 0;
    }

    /// <summary>The superblock of cryptsetup's lib/verity/verity.c, padded to a block: little-endian numbers, the UUID in text order.</summary>
    private byte[] Superblock()
    {
        var block = new byte[VerityGeometry.BlockSize];
        var span = block.AsSpan();
        "verity\0\0"u8.CopyTo(span);
        BinaryPrimitives.WriteUInt32LittleEndian(span[8..], 1); // superblock version
        BinaryPrimitives.WriteUInt32LittleEndian(span[12..], 1); // hash type
        _uuid.TryWriteBytes(span[16..], bigEndian: true, out _);
        "sha256"u8.CopyTo(span[32..]);
        BinaryPrimitives.WriteUInt32LittleEndian(span[64..], VerityGeometry.BlockSize); // data blocks
        BinaryPrimitives.WriteUInt32LittleEndian(span[68..], VerityGeometry.BlockSize); // hash blocks
        BinaryPrimitives.WriteInt64LittleEndian(span[72..], Geometry.DataBlocks);
        BinaryPrimitives.WriteUInt16LittleEndian(span[80..], (ushort)_salt.Length);
        _salt.CopyTo(span[88..]);
        return block;
    }

    private static byte[] NewSalted(ReadOnlySpan<byte> salt)
    {
        var salted = new byte[salt.Length + VerityGeometry.BlockSize];
        salt.CopyTo(salted);
        return salted;
    }

    private sealed class Level(long start)
    {
        public byte[] Buffer { get; } = new byte[BufferSize];
        public int Filled { get; set; }
        public long Next { get; set; } = start;
    }
}
