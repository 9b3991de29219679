namespace Appliance.Supervisor.Updates;

/// <summary>How an update ended.</summary>
/// <param name="At">When.</param>
/// <param name="Outcome"><c>installed</c>, <c>committed</c>, <c>rolledBack</c>, <c>failed</c>, <c>cancelled</c>, <c>refused</c>.</param>
/// <param name="Version">The version, where it was known.</param>
/// <param name="From">The version that ran before.</param>
/// <param name="Detail">Why, or by what ways it came; one sentence.</param>
internal sealed record HistoryEntry(DateTimeOffset At, string Outcome, string? Version, string From, string Detail);
