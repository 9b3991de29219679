namespace Appliance.UpdateClient.Chunks;

/// <summary>
/// Pieces of a file that are wanted, joined to the ranges that are asked for: pieces with little between them are cheaper
/// together, and no range is larger than what is kept in memory.
/// </summary>
internal sealed class RangePlan
{
    /// <summary>What a request costs beside its bytes: the headers of both sides of HTTP/1.1.</summary>
    public const int RequestCost = 400;

    private const int Largest = 256 << 10;
    private readonly List<ByteRange> _ranges = [];

    /// <summary>The ranges, ascending.</summary>
    public IReadOnlyList<ByteRange> Ranges => _ranges;

    /// <summary>Bytes of all ranges.</summary>
    public long Bytes { get; private set; }

    /// <summary>Takes a piece; pieces come in ascending order, and one is never divided.</summary>
    public void Add(long offset, int length)
    {
        if (_ranges.Count > 0)
        {
            var last = _ranges[^1];
            var end = last.Offset + last.Length;
            var gap = offset - end;
            if (gap is >= 0 and <= RequestCost)
            {
                Bytes += gap + length;
                if (last.Length + gap + length <= Largest) _ranges[^1] = new ByteRange(last.Offset, (int)(last.Length + gap + length));
                else _ranges.Add(new ByteRange(end, (int)gap + length)); // touching, so still one request
                return;
            }
        }
        _ranges.Add(new ByteRange(offset, length));
        Bytes += length;
    }
}
