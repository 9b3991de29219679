using Appliance.Supervisor.Web;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Telemetry;

/// <summary>How the device stands: what <c>/api/v1/status</c>, <c>updates</c> and <c>findings</c> show, and the workloads, in one.</summary>
internal sealed record StatusReport(DeviceStatus Status, DeviceUpdates Updates, IReadOnlyList<WorkloadStatus> Workloads, IReadOnlyList<DeviceFinding> Findings);
