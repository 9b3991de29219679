namespace Appliance.Core.Verity;

/// <summary>
/// Where everything lies on a dm-verity hash partition as <c>veritysetup format</c> lays it out (format 1, SHA-256, 4 KiB blocks):
/// one block with the superblock, then the levels of the tree, the one below the root hash first and the leaves last.
/// </summary>
public sealed class VerityGeometry
{
    /// <summary>Bytes of a data block and of a hash block.</summary>
    public const int BlockSize = 4096;

    /// <summary>Bytes of a digest.</summary>
    public const int DigestSize = 32;

    internal const int DigestsPerBlock = BlockSize / DigestSize;

    /// <summary>Lays out the tree of this many bytes of data.</summary>
    /// <param name="dataSize">A multiple of <see cref="BlockSize"/>, at least one block.</param>
    public VerityGeometry(long dataSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dataSize, BlockSize);
        if (dataSize % BlockSize != 0) throw new ArgumentException($"{dataSize} is no whole number of blocks", nameof(dataSize));
        DataBlocks = dataSize / BlockSize;
        var sizes = new List<long>();
        for (var blocks = DataBlocks; blocks > 1; sizes.Add(blocks)) blocks = (blocks + DigestsPerBlock - 1) / DigestsPerBlock;
        var starts = new long[sizes.Count];
        long next = BlockSize;
        for (var level = sizes.Count - 1; level >= 0; level--)
        {
            starts[level] = next;
            next += sizes[level] * BlockSize;
        }
        (LevelStarts, Size) = (starts, next);
    }

    /// <summary>Number of data blocks.</summary>
    public long DataBlocks { get; }

    /// <summary>Offsets of the levels in bytes, the leaves' first. Empty when there is one block only: its digest is the root hash.</summary>
    public IReadOnlyList<long> LevelStarts { get; }

    /// <summary>Bytes of superblock and tree.</summary>
    public long Size { get; }

    /// <summary>Bytes of superblock and tree over this many bytes of data, rounded up to whole blocks.</summary>
    public static long SizeFor(long dataSize) => new VerityGeometry((dataSize + BlockSize - 1) / BlockSize * BlockSize).Size;
}
