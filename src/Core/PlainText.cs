using System.Text;

namespace Appliance.Core;

/// <summary>Text of somebody else's making, before it is kept or shown: a terminal would obey it, and a database may refuse it.</summary>
public static class PlainText
{
    /// <summary>The text with U+FFFD for control characters, and for surrogates that lack their other half.</summary>
    /// <param name="text">The text.</param>
    /// <param name="kept">Control characters that stay, such as a line's end.</param>
    public static string Clean(string text, string kept = "")
    {
        var clean = new StringBuilder(text.Length);
        Span<char> units = stackalloc char[2]; // UTF-16 has at most two for a character
        foreach (var rune in text.EnumerateRunes()) // says U+FFFD for a lone surrogate
        {
            var shown = Rune.IsControl(rune) && !kept.Contains((char)rune.Value, StringComparison.Ordinal) ? Rune.ReplacementChar : rune;
            clean.Append(units[..shown.EncodeToUtf16(units)]);
        }
        return clean.ToString();
    }
}
