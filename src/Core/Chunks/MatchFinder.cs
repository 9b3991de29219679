using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Appliance.Core.Chunks;

/// <summary>Finds earlier occurrences of the bytes at a position: binary trees of the strings with a common beginning (as LZMA's BT4).</summary>
internal sealed class MatchFinder
{
    /// <summary>Longest match that is looked for.</summary>
    public const int Nice = 64;

    private const int Depth = 24;
    private const int Near2 = 1 << 12, Near3 = 1 << 18; // beyond these a match of two or three bytes costs more than literals
    private readonly byte[] _bytes;
    private readonly int _end, _window;
    private readonly int[] _last2 = NewTable(16), _last3 = NewTable(16), _last4 = NewTable(20);
    private readonly int[] _sons;

    /// <summary>Makes an empty finder over the first <paramref name="end"/> bytes.</summary>
    public MatchFinder(byte[] bytes, int end, int window)
    {
        (_bytes, _end, _window) = (bytes, end, window);
        _sons = new int[end * 2];
    }

    /// <summary>Takes up the string at a position, which is one after the last.</summary>
    /// <param name="position">The position.</param>
    /// <param name="matches">Gets matches of growing length; room for <see cref="Nice"/>.</param>
    /// <returns>Number of matches.</returns>
    public int Insert(int position, Span<(int Length, int Distance)> matches)
    {
        var limit = Math.Min(_end - position, Nice);
        if (limit < 4) return 0;
        ref var bytes = ref MemoryMarshal.GetArrayDataReference(_bytes);
        ref var sons = ref MemoryMarshal.GetArrayDataReference(_sons);
        ref var here = ref Unsafe.Add(ref bytes, position);
        var word = Unsafe.ReadUnaligned<uint>(ref here);
        ref var last2 = ref _last2[word & 0xFFFF];
        ref var last3 = ref _last3[((word & 0xFFFFFF) * 2654435761u) >> 16];
        ref var last4 = ref _last4[(word * 2654435761u) >> 12];
        var (near2, near3, current) = (last2, last3, last4);
        last2 = last3 = last4 = position;
        var count = 0;
        var best = 1;
        if (!matches.IsEmpty)
        {
            if (near2 >= 0 && position - near2 < Near2) matches[count++] = (best = 2, position - near2);
            if (near3 >= 0 && position - near3 < Near3 && ((Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref bytes, near3)) ^ word) & 0xFFFFFF) == 0)
            {
                if (near2 == near3) count = 0;
                matches[count++] = (best = 3, position - near3);
            }
        }
        int smaller = position * 2, larger = smaller + 1, smallerLength = 0, largerLength = 0;
        for (var depth = Depth; ; depth--)
        {
            if (current < 0 || depth == 0 || position - current > _window)
            {
                Unsafe.Add(ref sons, smaller) = Unsafe.Add(ref sons, larger) = -1;
                return count;
            }
            var length = Math.Min(smallerLength, largerLength);
            length += CommonLength(ref Unsafe.Add(ref bytes, current + length), ref Unsafe.Add(ref here, length), limit - length);
            if (length > best)
            {
                best = length;
                if (!matches.IsEmpty) matches[count++] = (length, position - current);
            }
            if (length == limit)
            {
                Unsafe.Add(ref sons, smaller) = Unsafe.Add(ref sons, current * 2);
                Unsafe.Add(ref sons, larger) = Unsafe.Add(ref sons, (current * 2) + 1);
                return count;
            }
            if (Unsafe.Add(ref bytes, current + length) < Unsafe.Add(ref here, length))
            {
                Unsafe.Add(ref sons, smaller) = current;
                smaller = (current * 2) + 1;
                current = Unsafe.Add(ref sons, smaller);
                smallerLength = length;
            }
            else
            {
                Unsafe.Add(ref sons, larger) = current;
                larger = current * 2;
                current = Unsafe.Add(ref sons, larger);
                largerLength = length;
            }
        }
    }

    /// <summary>How many bytes are equal, at most <paramref name="limit"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CommonLength(ref byte first, ref byte second, int limit)
    {
        var i = 0;
        for (; i + 8 <= limit; i += 8)
        {
            var difference = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref first, i)) ^ Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref second, i));
            if (difference != 0) return i + (BitOperations.TrailingZeroCount(difference) >> 3);
        }
        while (i < limit && Unsafe.Add(ref first, i) == Unsafe.Add(ref second, i)) i++;
        return i;
    }

    private static int[] NewTable(int bits)
    {
        var table = new int[1 << bits];
        Array.Fill(table, -1);
        return table;
    }
}
