namespace Appliance.UpdateServer.Inventory;

/// <summary>A line of a device's log.</summary>
/// <param name="At">When it was written.</param>
/// <param name="Priority">How much it matters: 0 (emergency) to 7 (debug), as syslog counts (RFC 5424, 6.2.1).</param>
/// <param name="Unit">The unit that wrote it; empty for none.</param>
/// <param name="Text">The words.</param>
internal sealed record LogLine(DateTimeOffset At, int Priority, string? Unit, string Text);
