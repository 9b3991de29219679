using System.Runtime.InteropServices;
using Appliance.Core;

namespace Appliance.Core.Delta;

/// <summary>The sorted suffixes of a text (libdivsufsort), to find the longest match of any other text in it.</summary>
internal sealed partial class SuffixArray
{
    /// <summary>A longer match is not measured further: it is taken whatever its length.</summary>
    private const int LongestCompare = 1 << 16;
    private readonly byte[] _text;
    private readonly int[] _sorted;
    private readonly int[] _firstByPair = new int[65536 + 1];

    /// <summary>Sorts; 5 bytes of memory a byte of text, 4 of them kept.</summary>
    /// <exception cref="UserError">libdivsufsort is not installed.</exception>
    public unsafe SuffixArray(byte[] text)
    {
        _text = text;
        _sorted = new int[text.Length];
        try
        {
            fixed (byte* t = text)
            fixed (int* s = _sorted)
                if (text.Length > 0 && divsufsort(t, s, text.Length) != 0) throw new InsufficientMemoryException("sorting the old payload's suffixes needs more memory");
        }
        catch (DllNotFoundException e)
        {
            throw new UserError("Making patches needs libdivsufsort, which is not installed.", "Install the Debian package libdivsufsort3; ./build.sh does.", e);
        }
        IndexPairs();
    }

    /// <summary>The longest match of the start of <paramref name="pattern"/>: its place in the text and its length.</summary>
    public (int Position, int Length) LongestMatch(ReadOnlySpan<byte> pattern)
    {
        if (pattern.Length < 2) return (0, 0);
        var pair = (pattern[0] << 8) | pattern[1];
        int low = _firstByPair[pair], high = _firstByPair[pair + 1] - 1;
        if (low > high) return (0, 0);
        if (pattern.Length > LongestCompare) pattern = pattern[..LongestCompare];
        int lowLength = 0, highLength = 0;
        // The common prefix of both bounds is common to all between them.
        while (high - low > 1)
        {
            var middle = (int)(((uint)low + (uint)high) >> 1);
            var suffix = _text.AsSpan(_sorted[middle]);
            var length = Math.Min(lowLength, highLength);
            length += pattern[length..].CommonPrefixLength(suffix[length..]);
            if (length == pattern.Length) return (_sorted[middle], length);
            if (length == suffix.Length || suffix[length] < pattern[length]) (low, lowLength) = (middle, length);
            else (high, highLength) = (middle, length);
        }
        var below = pattern.CommonPrefixLength(_text.AsSpan(_sorted[low]));
        var above = pattern.CommonPrefixLength(_text.AsSpan(_sorted[high]));
        return below >= above ? (_sorted[low], below) : (_sorted[high], above);
    }

    private void IndexPairs()
    {
        var next = 0;
        for (var i = 0; i < _sorted.Length; i++)
        {
            var at = _sorted[i];
            // A last single byte sorts before every pair that begins with it; it stands with the pair (byte, 0).
            var pair = (_text[at] << 8) | (at + 1 < _text.Length ? _text[at + 1] : 0);
            while (next <= pair) _firstByPair[next++] = i;
        }
        while (next <= 65536) _firstByPair[next++] = _sorted.Length;
    }

    [LibraryImport("libdivsufsort.so.3")]
    private static unsafe partial int divsufsort(byte* text, int* suffixes, int length);
}
