namespace Appliance.Supervisor.Telemetry;

/// <summary>Why reports wait.</summary>
/// <param name="Reason">The reason now.</param>
/// <param name="Since">Since when they wait, whatever the reason was at first.</param>
internal sealed record ReportTrouble(string Reason, DateTimeOffset Since);
