using Appliance.Supervisor.Health;

namespace Supervisor.Tests.Health;

/// <summary>A check whose result the test sets.</summary>
internal sealed class SetProbe(string name, bool gate = true) : IHealthProbe
{
    public ProbeResult Result { get; set; } = ProbeResult.Pass("fine");
    public Func<CancellationToken, Task<ProbeResult>>? Behaviour { get; set; }
    public string Name => name;
    public string Kind { get; init; } = "http";
    public bool Gate => gate;
    public TimeSpan Interval { get; init; } = TimeSpan.FromHours(1);
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);
    public int Successes { get; init; } = 1;
    public int Failures { get; init; } = 1;
    public bool IsAboutThisMachine { get; init; } = true;
    public bool SilenceIsOutage { get; init; }
    public Func<string, bool> Unit { get; init; } = _ => false;
    public int Attempts;

    public bool Follows(string unit) => Unit(unit);

    public Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref Attempts);
        return Behaviour?.Invoke(cancellationToken) ?? Task.FromResult(Result);
    }
}
