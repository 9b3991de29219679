namespace Appliance.Supervisor.Telemetry;

/// <summary>Whether reports reach their collector.</summary>
/// <param name="Collector">Its address.</param>
/// <param name="Trouble">Why they do not, or null.</param>
/// <param name="HasDropped">Whether any was lost since the start.</param>
internal sealed record ReportDelivery(string Collector, ReportTrouble? Trouble, bool HasDropped);
