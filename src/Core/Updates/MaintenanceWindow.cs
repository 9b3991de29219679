using System.Globalization;

namespace Appliance.Core.Updates;

/// <summary>
/// A time of the week at which a device may restart for an update, in the device's local time: <c>02:00-04:00</c>,
/// <c>Mon-Fri 22:00-05:30</c>, <c>Sat,Sun 00:00-24:00</c>. One that ends at or before its beginning ends on the next day.
/// </summary>
public sealed class MaintenanceWindow
{
    private const int MinutesOfDay = 24 * 60, DaysOfWeek = 7;
    private static readonly string[] DayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]; // as DayOfWeek counts them

    private readonly bool[] _days;
    private readonly int _from, _length;

    private MaintenanceWindow(bool[] days, int from, int length) => (_days, _from, _length) = (days, from, length);

    /// <summary>Reads a window; null when the text is none.</summary>
    public static MaintenanceWindow? TryParse(string text)
    {
        var parts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length is < 1 or > 2) return null;
        var days = new bool[DaysOfWeek];
        if (parts.Length == 1) Array.Fill(days, true);
        else if (!TryDays(parts[0], days)) return null;
        var times = parts[^1].Split('-');
        if (times.Length != 2 || TryMinute(times[0]) is not { } from || TryMinute(times[1]) is not { } until || from == MinutesOfDay || from == until) return null;
        return new MaintenanceWindow(days, from, until > from ? until - from : until + MinutesOfDay - from);
    }

    /// <summary>Whether a moment of the device's local time lies in the window.</summary>
    public bool Contains(DateTime local)
    {
        var minute = (int)local.TimeOfDay.TotalMinutes;
        var today = (int)local.DayOfWeek;
        if (_days[today] && minute >= _from && minute < _from + _length) return true;
        var yesterday = (today + DaysOfWeek - 1) % DaysOfWeek;
        return _days[yesterday] && minute + MinutesOfDay < _from + _length;
    }

    /// <summary>When the window opens next: the moment itself while it is open.</summary>
    public DateTime NextOpening(DateTime local)
    {
        if (Contains(local)) return local;
        for (var day = local.Date; ; day = day.AddDays(1))
        {
            var opening = day.AddMinutes(_from);
            if (_days[(int)day.DayOfWeek] && opening > local) return opening;
        }
    }

    private static bool TryDays(string text, bool[] days)
    {
        foreach (var item in text.Split(','))
        {
            var ends = item.Split('-');
            var (first, last) = (Array.IndexOf(DayNames, ends[0]), Array.IndexOf(DayNames, ends[^1]));
            if (ends.Length > 2 || first < 0 || last < 0) return false;
            for (var day = first; ; day = (day + 1) % DaysOfWeek)
            {
                days[day] = true;
                if (day == last) break;
            }
        }
        return true;
    }

    private static int? TryMinute(string text) =>
        text.Length == 5 && text[2] == ':' && int.TryParse(text.AsSpan(0, 2), NumberStyles.None, CultureInfo.InvariantCulture, out var hour) && int.TryParse(text.AsSpan(3), NumberStyles.None, CultureInfo.InvariantCulture, out var minute)
        && minute < 60 && (hour < 24 || (hour == 24 && minute == 0)) ? (hour * 60) + minute : null;
}
