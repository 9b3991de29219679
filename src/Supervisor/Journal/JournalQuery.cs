namespace Appliance.Supervisor.Journal;

/// <summary>Which lines of the journal somebody wants to see.</summary>
internal sealed record JournalQuery
{
    /// <summary>Most lines that are shown at once.</summary>
    public const int MostLines = 1000;

    /// <summary>Lines that are shown when nobody says how many.</summary>
    public const int UsualLines = 200;

    /// <summary>A unit, <c>k3s.service</c>, or null for all.</summary>
    public string? Unit { get; init; }

    /// <summary>The least important to be shown: 0 (emergency) to 7 (debug), syslog(3); null for all.</summary>
    public int? Priority { get; init; }

    /// <summary>A boot: its id, or 0 for this one, -1 for the one before, and so on; null for all.</summary>
    public string? Boot { get; init; } = "0";

    /// <summary>A text that lines have in them, in any case; null for all lines.</summary>
    public string? Text { get; init; }

    /// <summary>How many lines, the latest ones.</summary>
    public int Lines { get; init; } = UsualLines;
}
