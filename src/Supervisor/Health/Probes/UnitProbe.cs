using Appliance.Core.Health;
using Appliance.Supervisor.Systemd;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>A systemd unit is active.</summary>
internal sealed class UnitProbe(HealthCheck check, Systemd1 systemd) : DeclaredProbe(check)
{
    private readonly string _unit = check.Unit!;

    public override bool Follows(string unit) => unit == _unit;

    public override async Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        var unit = (await systemd.UnitsAsync([_unit]))[0];
        return unit switch
        {
            { ActiveState: "active" } => ProbeResult.Pass($"{_unit} is active"),
            { LoadState: "not-found" } => ProbeResult.Fail($"{_unit} does not exist"),
            { IsStarting: true } => ProbeResult.Wait($"{_unit} is starting"),
            { SubState: "auto-restart" } => ProbeResult.Fail($"{_unit} ended and is being started again"),
            _ => ProbeResult.Fail($"{_unit} is {unit.ActiveState}"),
        };
    }
}
