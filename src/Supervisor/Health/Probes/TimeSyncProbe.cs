using Appliance.Core.Health;
using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>systemd-timesyncd has set the clock since the machine started.</summary>
internal sealed class TimeSyncProbe(HealthCheck check, string root) : DeclaredProbe(check)
{
    /// <summary>An unreachable time server is nobody's update's fault; that the service runs is what a unit check asks.</summary>
    public override bool IsAboutThisMachine => false;

    public override bool Follows(string unit) => unit == "systemd-timesyncd.service";

    public override Task<ProbeResult> TryAsync(CancellationToken cancellationToken) =>
        Task.FromResult(DeviceFacts.IsClockSet(root) ? ProbeResult.Pass("the clock is synchronised") : ProbeResult.Fail("the clock has not been set from the network"));
}
