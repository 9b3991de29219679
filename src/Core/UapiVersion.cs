namespace Appliance.Core;

/// <summary>Orders version strings as the UAPI version format specification (UAPI.10) says, which is also how systemd-boot orders them.</summary>
public sealed class UapiVersion : IComparer<string>
{
    private UapiVersion()
    {
    }

    /// <summary>The comparer.</summary>
    public static UapiVersion Comparer { get; } = new();

    /// <inheritdoc/>
    public int Compare(string? x, string? y) => Compare(x.AsSpan(), y.AsSpan());

    /// <summary>Less than 0 when <paramref name="a"/> is older than <paramref name="b"/>, 0 when they are equal, more than 0 when it is newer.</summary>
    public static int Compare(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        while (true)
        {
            // Numbers as in the specification's section "Version Comparison".
            a = SkipOthers(a); // 1
            b = SkipOthers(b);
            if (Separator('~', ref a, ref b) is var tilde and not 0) return tilde; // 2
            if (a.IsEmpty || b.IsEmpty) return b.IsEmpty.CompareTo(a.IsEmpty); // 3: what remains is newer
            if (Separator('-', ref a, ref b) is var dash and not 0) return dash; // 4
            if (Separator('^', ref a, ref b) is var caret and not 0) return caret; // 5
            if (Separator('.', ref a, ref b) is var dot and not 0) return dot; // 6
            var order = IsDigit(a) || IsDigit(b) ? CompareNumbers(ref a, ref b) : CompareLetters(ref a, ref b); // 7, 8
            if (order != 0) return order;
        }
    }

    /// <summary>Where only one side has the separator, that side is older; where both have it, both lose it.</summary>
    private static int Separator(char separator, ref ReadOnlySpan<char> a, ref ReadOnlySpan<char> b)
    {
        var (left, right) = (a.StartsWith(separator), b.StartsWith(separator));
        if (left != right) return left ? -1 : 1;
        if (left)
        {
            a = a[1..];
            b = b[1..];
        }
        return 0;
    }

    private static int CompareNumbers(ref ReadOnlySpan<char> a, ref ReadOnlySpan<char> b)
    {
        if (IsDigit(a) != IsDigit(b)) return IsDigit(a) ? 1 : -1;
        var left = Take(ref a, char.IsAsciiDigit).TrimStart('0');
        var right = Take(ref b, char.IsAsciiDigit).TrimStart('0');
        return left.Length != right.Length ? left.Length.CompareTo(right.Length) : left.SequenceCompareTo(right);
    }

    private static int CompareLetters(ref ReadOnlySpan<char> a, ref ReadOnlySpan<char> b) =>
        Take(ref a, char.IsAsciiLetter).SequenceCompareTo(Take(ref b, char.IsAsciiLetter));

    private static ReadOnlySpan<char> Take(ref ReadOnlySpan<char> text, Func<char, bool> belongs)
    {
        var length = 0;
        while (length < text.Length && belongs(text[length])) length++;
        var taken = text[..length];
        text = text[length..];
        return taken;
    }

    private static ReadOnlySpan<char> SkipOthers(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty && !char.IsAsciiLetterOrDigit(text[0]) && text[0] is not ('~' or '-' or '^' or '.')) text = text[1..];
        return text;
    }

    private static bool IsDigit(ReadOnlySpan<char> text) => !text.IsEmpty && char.IsAsciiDigit(text[0]);
}
