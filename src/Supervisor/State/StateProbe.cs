using Appliance.Supervisor.Health;

namespace Appliance.Supervisor.State;

/// <summary>The state of this boot is safe: what belongs to the old version is kept aside, or back in its place.</summary>
/// <param name="path">Where the verb <c>state</c> tells a failure: <see cref="StateLayout.FailurePath"/> on a device.</param>
internal sealed class StateProbe(string path) : IHealthProbe
{
    public string Name => "state";
    public bool Gate => true;
    public TimeSpan Interval => TimeSpan.FromSeconds(30);
    public TimeSpan Timeout => TimeSpan.FromSeconds(10);

    public async Task<ProbeResult> TryAsync(CancellationToken cancellationToken) => File.Exists(path)
        ? ProbeResult.Fail((await File.ReadAllTextAsync(path, cancellationToken)).Trim())
        : ProbeResult.Pass("what belongs to the version is in its place");
}
