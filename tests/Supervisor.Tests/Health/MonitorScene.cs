using Appliance.Core.Health;
using Appliance.Supervisor.Health;

namespace Supervisor.Tests.Health;

/// <summary>A monitor on a clock of the test's own.</summary>
internal sealed class MonitorScene : IDisposable
{
    private MonitorScene(ManualTime time, HealthMonitor monitor) => (Time, Monitor) = (time, monitor);

    public ManualTime Time { get; }

    public HealthMonitor Monitor { get; }

    public HealthReport Report => Monitor.Report;

    public static async Task<MonitorScene> StartAsync(IReadOnlyList<IHealthProbe> probes, TimeSpan stabilisation = default, TimeSpan? timeout = null, HealthBaseline? baseline = null, Action<HealthReport>? beforePublish = null)
    {
        var time = new ManualTime();
        var monitor = new HealthMonitor(new HealthSettings { Timeout = timeout ?? TimeSpan.FromMinutes(5), Stabilisation = stabilisation }, probes, time, baseline, beforePublish);
        var scene = new MonitorScene(time, monitor);
        await monitor.StartAsync(TestContext.Current.CancellationToken);
        await Eventually.IsTrueAsync(() => scene.Report.Checks.All(check => check.Tried is not null), "the first attempts");
        return scene;
    }

    /// <summary>Lets seconds pass, one by one; in each, every check is tried.</summary>
    public async Task PassAsync(int seconds)
    {
        for (; seconds > 0; seconds--)
        {
            Time.Advance(TimeSpan.FromSeconds(1));
            // Once each: a kick during the attempt would be another one in the same second.
            foreach (var check in Report.Checks.Where(check => check.Tried != Time.GetUtcNow())) Monitor.Kick(check.Name);
            await Eventually.IsTrueAsync(() => Report.Checks.All(check => check.Tried == Time.GetUtcNow()), "an attempt in this second");
        }
    }

    public CheckStatus Check(string name) => Report.Checks.Single(check => check.Name == name);

    public void Dispose() => Monitor.Dispose();
}
