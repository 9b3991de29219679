using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using Serilog;

namespace Appliance.Supervisor.Service;

/// <summary>Shows jobs as objects of their own on the bus, for as long as somebody may want to know how they ended.</summary>
internal sealed class JobObjects(BusConnection bus, TimeProvider time) : IDisposable
{
    /// <summary>Interface of a job.</summary>
    public const string Interface = "io.appliance.Supervisor1.Job";

    private const int MostKept = 8;
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(250);
    private static readonly string[] Changing = ["State", "Phase", "Workload", "Version", "Done", "Total", "Downloaded", "BytesPerSecond", "SecondsLeft", "Message"];

    private readonly Queue<(string Path, BusExport Export)> _kept = new();
    private readonly SemaphoreSlim _one = new(1);
    private long _announced;

    /// <summary>A job's path.</summary>
    public static ObjectPath PathOf(UpdateJob job) => new($"{SupervisorObject.Path}/jobs/{job.Id}");

    /// <summary>Exports a job that has just begun. On the bus before its path is answered: both are posted to the bus thread in this order.</summary>
    public void Add(UpdateJob job)
    {
        var path = PathOf(job).Value;
        var exporting = bus.ExportAsync(path, Interface, [], Properties(job));
        var shown = KeepAsync(path, exporting, job);
        job.Changed += changed => Announce(changed, shown);
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();

    private async Task KeepAsync(string path, Task<BusExport> exporting, UpdateJob job)
    {
        await _one.WaitAsync();
        try
        {
            _kept.Enqueue((path, await exporting));
            await bus.AnnounceObjectAsync(path, added: true);
            await bus.EmitSignalAsync(SupervisorObject.Path, SupervisorObject.Name, "JobNew", "o", PathOf(job));
            while (_kept.Count > MostKept)
            {
                var (old, export) = _kept.Dequeue();
                await bus.AnnounceObjectAsync(old, added: false);
                await bus.RemoveAsync(export);
            }
        }
        catch (BusException e)
        {
            Log.Warning("A job could not be shown on the bus: {Reason}", e.Message);
        }
        finally
        {
            _one.Release();
        }
    }

    private static List<BusProperty> Properties(UpdateJob job) =>
    [
        new("Id", "u", () => (uint)job.Id),
        new("Kind", "s", () => job.View.Kind),
        new("State", "s", () => DeviceView.Word(job.View.State)),
        new("Phase", "s", () => job.View.Phase),
        new("Workload", "s", () => job.View.Workload ?? ""),
        new("Version", "s", () => job.View.Version ?? ""),
        new("Done", "t", () => (ulong)job.View.Done),
        new("Total", "t", () => (ulong)job.View.Total),
        new("Downloaded", "t", () => (ulong)job.View.Downloaded),
        new("BytesPerSecond", "t", () => (ulong)job.View.BytesPerSecond),
        new("SecondsLeft", "d", () => job.View.SecondsLeft ?? -1),
        new("By", "s", () => job.View.By),
        new("StartedAt", "t", () => BusValues.Moment(job.View.StartedAt)),
        new("Message", "s", () => job.View.Message),
    ];

    /// <summary>Progress is told a few times a second, ends always.</summary>
    private void Announce(UpdateJob job, Task shown)
    {
        var view = job.View;
        var now = time.GetTimestamp();
        if (view.State == JobState.Running && time.GetElapsedTime(Interlocked.Read(ref _announced), now) < Pace) return;
        Interlocked.Exchange(ref _announced, now);
        _ = AnnounceAsync(job, view, shown);
    }

    private async Task AnnounceAsync(UpdateJob job, JobView view, Task shown)
    {
        try
        {
            await shown; // a job that ends at once comes before it goes, all the same
            await bus.EmitPropertiesChangedAsync(PathOf(job).Value, Interface, Changing);
            if (view.State != JobState.Running) await bus.EmitSignalAsync(SupervisorObject.Path, SupervisorObject.Name, "JobRemoved", "oss", PathOf(job), DeviceView.Word(view.State), view.Message);
        }
        catch (BusException e)
        {
            Log.Warning("A job's progress could not be told: {Reason}", e.Message);
        }
    }
}
