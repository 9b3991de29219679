using Appliance.Supervisor.Journal;

namespace Appliance.Supervisor.Telemetry;

/// <summary>Where lines of the journal go.</summary>
internal interface IJournalReports
{
    /// <summary>Most lines of one report.</summary>
    int MostLines { get; }

    /// <summary>Most characters of one report.</summary>
    int MostText { get; }

    /// <summary>Adds a line.</summary>
    void Add(JournalLine line);

    /// <summary>Puts everything so far on the disk; it is there when this returns.</summary>
    void Flush();
}
