using System.Globalization;

namespace Appliance.Core;

/// <summary>Sizes as people write and read them: <c>512MiB</c> in options and definitions, IEC units in output.</summary>
public static class ByteSize
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB"];

    /// <summary>
    /// Parses a whole number of bytes with an optional IEC unit (<c>B</c>, <c>KiB</c>, <c>MiB</c>, <c>GiB</c>, <c>TiB</c>;
    /// case does not matter, a space before the unit is allowed). Returns false for anything else, for negative numbers
    /// and for sizes above <see cref="long.MaxValue"/>.
    /// </summary>
    public static bool TryParse(string? text, out long bytes)
    {
        bytes = 0;
        var trimmed = text.AsSpan().Trim();
        var digits = 0;
        while (digits < trimmed.Length && char.IsAsciiDigit(trimmed[digits])) digits++;
        if (digits == 0 || !long.TryParse(trimmed[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
        var unit = trimmed[digits..].Trim();
        var power = unit.IsEmpty ? 0 : UnitIndex(unit.ToString());
        if (power < 0) return false;
        var shift = 10 * power;
        if (number > long.MaxValue >> shift) return false;
        bytes = number << shift;
        return true;
    }

    /// <summary>Formats a number of bytes with the largest IEC unit that keeps at least one whole digit, e.g. <c>1.4 GiB</c>.</summary>
    public static string Format(long bytes)
    {
        if (bytes < 1024) return string.Create(CultureInfo.InvariantCulture, $"{bytes} B");
        var value = (double)bytes;
        var unit = 0;
        while (value >= 1024 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }
        return string.Create(CultureInfo.InvariantCulture, $"{value:0.#} {Units[unit]}");
    }

    private static int UnitIndex(string unit) =>
        Array.FindIndex(Units, name => name.Equals(unit, StringComparison.OrdinalIgnoreCase));
}
