using Appliance.Core;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>The data partition takes a file, to the disk.</summary>
internal sealed class DataProbe(string folder) : IHealthProbe
{
    public string Name => "data";
    public bool Gate => true;
    public TimeSpan Interval => TimeSpan.FromSeconds(30);
    public TimeSpan Timeout => TimeSpan.FromSeconds(20);

    public Task<ProbeResult> TryAsync(CancellationToken cancellationToken) => Task.Run(() =>
    {
        var path = Path.Combine(folder, "health-probe");
        DurableFile.Write(path, "written"u8);
        File.Delete(path);
        return ProbeResult.Pass("the data partition is writable");
    }, cancellationToken);
}
