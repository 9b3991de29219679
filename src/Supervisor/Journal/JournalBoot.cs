namespace Appliance.Supervisor.Journal;

/// <summary>A boot that the journal knows.</summary>
/// <param name="Id">The kernel's id of it, 32 hexadecimal digits.</param>
/// <param name="First">Its first line.</param>
/// <param name="Last">Its last line so far.</param>
internal sealed record JournalBoot(string Id, DateTimeOffset First, DateTimeOffset Last);
