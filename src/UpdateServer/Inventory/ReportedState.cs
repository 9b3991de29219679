using Appliance.UpdateServer.Fleet;

namespace Appliance.UpdateServer.Inventory;

/// <summary>What a device says in a report (docs/server.md). Everything but the time may be left out.</summary>
/// <param name="At">When the device made it.</param>
/// <param name="Health">How it is.</param>
/// <param name="Reasons">Why, a line each.</param>
/// <param name="Log">Lines of its log.</param>
internal sealed record ReportedState(DateTimeOffset? At, DeviceHealth? Health, IReadOnlyList<string>? Reasons, IReadOnlyList<LogLine>? Log);
