using System.Globalization;

namespace Appliance.UpdateServer.Rollouts;

/// <summary>How many devices a group has: a share of all, or a number.</summary>
/// <param name="Count">The number.</param>
/// <param name="IsPercent">Whether it is a share in percent.</param>
internal readonly record struct GroupShare(double Count, bool IsPercent)
{
    /// <summary>Reads <c>10%</c> or <c>25</c>; null when it is neither.</summary>
    public static GroupShare? TryParse(string text)
    {
        var percent = text.EndsWith('%');
        return double.TryParse(percent ? text[..^1] : text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var count) && count > 0 && (percent ? count <= 100 : count <= int.MaxValue && count == Math.Floor(count)) ? new GroupShare(count, percent) : null;
    }

    /// <summary>Devices of so many; at least one, so that a small fleet has small groups and not none.</summary>
    public int Of(int devices) => IsPercent ? Math.Max(1, (int)Math.Round(devices * Count / 100)) : (int)Count;
}
