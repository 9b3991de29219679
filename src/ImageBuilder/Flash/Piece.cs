using Appliance.ImageBuilder.BlockMaps;

namespace Appliance.ImageBuilder.Flash;

/// <summary>What is read of an image and written to a target, piece by piece.</summary>
/// <param name="Start">First byte.</param>
/// <param name="Length">Bytes; fewer come at the end of an image without a map.</param>
/// <param name="Range">The range of the map that it is of, or null.</param>
/// <param name="EndsRange">Whether the range's checksum is due after it.</param>
internal readonly record struct Piece(long Start, int Length, BlockRange? Range, bool EndsRange)
{
    /// <summary>The pieces of an image, in order; without a map and a size they do not end.</summary>
    public static IEnumerable<Piece> Of(BlockMap? map, int most)
    {
        if (map is null)
        {
            for (long at = 0; ; at += most) yield return new Piece(at, most, null, false);
        }
        foreach (var range in map.Ranges)
        {
            var (start, end) = map.BytesOf(range);
            for (var at = start; at < end;)
            {
                // Cut where a multiple of the size is, so that a large range is written in aligned blocks.
                var length = (int)(Math.Min(end, (at / most + 1) * most) - at);
                yield return new Piece(at, length, range, at + length == end);
                at += length;
            }
        }
    }
}
