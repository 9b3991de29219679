using Appliance.Supervisor.Web;

namespace Appliance.Supervisor.Telemetry;

/// <summary>How the device stands: what <c>/api/v1/status</c>, <c>updates</c> and <c>findings</c> show, in one.</summary>
internal sealed record StatusReport(DeviceStatus Status, DeviceUpdates Updates, IReadOnlyList<DeviceFinding> Findings);
