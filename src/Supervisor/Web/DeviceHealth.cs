using Appliance.Supervisor.Device;
using Appliance.Supervisor.Health;

namespace Appliance.Supervisor.Web;

/// <summary>What <c>/api/v1/health</c> shows.</summary>
/// <param name="Verdict"><c>starting</c>, <c>healthy</c> or <c>unhealthy</c>.</param>
/// <param name="Reasons">Why, one sentence a check.</param>
/// <param name="ComparesWithBefore">True while a version is on trial and the machine is compared with itself before the update.</param>
/// <param name="Checks">Every check.</param>
internal sealed record DeviceHealth(string Verdict, IReadOnlyList<string> Reasons, bool ComparesWithBefore, IReadOnlyList<DeviceCheck> Checks)
{
    /// <summary>Shows the present.</summary>
    public static DeviceHealth Of(HealthMonitor monitor)
    {
        var report = monitor.Report;
        return new DeviceHealth(DeviceView.Word(report.State), report.Reasons, monitor.InTrial, report.Checks.Select(DeviceCheck.Of).ToList());
    }
}
