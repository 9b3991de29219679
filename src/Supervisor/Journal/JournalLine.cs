namespace Appliance.Supervisor.Journal;

/// <summary>A line of the journal.</summary>
/// <param name="At">When.</param>
/// <param name="Priority">How important: 0 (emergency) to 7 (debug).</param>
/// <param name="Source">The program that said it.</param>
/// <param name="Unit">Its unit, or null.</param>
/// <param name="Message">What it said.</param>
internal sealed record JournalLine(DateTimeOffset At, int Priority, string Source, string? Unit, string Message);
