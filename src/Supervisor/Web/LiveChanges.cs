using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Findings;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Web;

/// <summary>Tells open pages that there is something new to fetch: server-sent events (HTML, 9.2) without content.</summary>
internal sealed class LiveChanges : IDisposable
{
    /// <summary>Most pages that are told; the others ask now and then.</summary>
    public const int MostListeners = 20;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(500), Beat = TimeSpan.FromSeconds(5);
    private static readonly byte[] Event = "data: changed\n\n"u8.ToArray();

    private readonly UpdateEngine _engine;
    private readonly HealthMonitor _health;
    private readonly WorkloadUpdates _workloads;
    private readonly FindingList _findings;
    private readonly FleetAgent _fleet;
    private readonly CredentialDesk _credentials;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _free = new(MostListeners);
    private TaskCompletionSource _next = New();

    /// <summary>Follows everything that pages show.</summary>
    public LiveChanges(UpdateEngine engine, WorkloadUpdates workloads, HealthMonitor health, FindingList findings, FleetAgent fleet, CredentialDesk credentials, TimeProvider time)
    {
        (_engine, _workloads, _health, _findings, _fleet, _credentials, _time) = (engine, workloads, health, findings, fleet, credentials, time);
        workloads.Changed += Tell;
        engine.Changed += Tell;
        engine.Jobs.Started += Follow;
        health.Changed += TellOf;
        findings.Changed += Tell;
        fleet.Changed += Tell;
        credentials.Changed += Tell;
    }

    /// <summary>Serves one page until it goes away. What only time changes (uptime, memory) is told of every few seconds.</summary>
    public async Task ServeAsync(HttpContext context, CancellationToken stopping)
    {
        if (!await _free.WaitAsync(0, CancellationToken.None))
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }
        try
        {
            using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
            context.Response.ContentType = "text/event-stream";
            while (!end.IsCancellationRequested)
            {
                var next = Volatile.Read(ref _next).Task;
                await context.Response.Body.WriteAsync(Event, end.Token);
                await context.Response.Body.FlushAsync(end.Token);
                await Task.Delay(Pace, _time, end.Token);
                await Task.WhenAny(next, Task.Delay(Beat, _time, end.Token));
            }
        }
        catch (OperationCanceledException)
        {
            // The page is gone, or the supervisor goes.
        }
        finally
        {
            _free.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _engine.Changed -= Tell;
        _workloads.Changed -= Tell;
        _engine.Jobs.Started -= Follow;
        _health.Changed -= TellOf;
        _findings.Changed -= Tell;
        _fleet.Changed -= Tell;
        _credentials.Changed -= Tell;
        _free.Dispose();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Tell() => Interlocked.Exchange(ref _next, New()).TrySetResult();

    private void TellOf(HealthReport report) => Tell();

    private void Follow(UpdateJob job) => job.Changed += _ => Tell();
}
