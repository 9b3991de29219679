namespace Appliance.Core.Tuf;

/// <summary>PATHPATTERN (4.5): <c>*</c> and <c>?</c> stand for characters of one path segment, never for a slash.</summary>
internal static class PathPattern
{
    public static bool Matches(string pattern, string path)
    {
        var patterns = pattern.Split('/');
        var segments = path.Split('/');
        if (patterns.Length != segments.Length) return false;
        for (var i = 0; i < segments.Length; i++)
            if (!SegmentMatches(patterns[i], segments[i])) return false;
        return true;
    }

    /// <summary>Without recursion: on a mismatch the last star takes one character more.</summary>
    private static bool SegmentMatches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        int p = 0, t = 0, star = -1, resume = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*') (star, resume) = (p++, t);
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == text[t])) (p, t) = (p + 1, t + 1);
            else if (star >= 0) (p, t) = (star + 1, ++resume);
            else return false;
        }
        while (p < pattern.Length && pattern[p] == '*') p++;
        return p == pattern.Length;
    }
}
