namespace Appliance.Supervisor.Telemetry;

/// <summary>Whoever reports are brought to.</summary>
internal interface IReportTaker
{
    /// <summary>Its name, for people.</summary>
    string Name { get; }

    /// <summary>Brings one.</summary>
    /// <param name="report">Which.</param>
    /// <param name="content">What is in its file.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    Task<ReportAnswer> TakeAsync(SpooledReport report, byte[] content, CancellationToken cancellationToken);
}

/// <summary>What came of bringing a report.</summary>
/// <param name="Outcome">Whether it is out of the line.</param>
/// <param name="Trouble">Why it was not taken, or null.</param>
/// <param name="Wait">How long the taker wants to be left alone, or null.</param>
internal sealed record ReportAnswer(ReportOutcome Outcome, string? Trouble = null, TimeSpan? Wait = null);

/// <summary>What becomes of a report that was brought.</summary>
internal enum ReportOutcome
{
    /// <summary>It was taken.</summary>
    Taken,

    /// <summary>It cannot be read, now or later.</summary>
    Unusable,

    /// <summary>It waits.</summary>
    Waits,
}
