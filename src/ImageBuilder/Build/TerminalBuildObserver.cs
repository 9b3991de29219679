using System.Collections.Concurrent;
using System.Diagnostics;
using Appliance.Core;
using Spectre.Console;

namespace Appliance.ImageBuilder.Build;

/// <summary>A table of the stages that repaints itself a few times a second: state, time, bytes with rate and ETA, last line.</summary>
internal sealed class TerminalBuildObserver : IDisposableBuildObserver
{
    private static readonly TimeSpan Repaint = TimeSpan.FromMilliseconds(200);
    private readonly ConcurrentDictionary<string, Row> _rows = new();
    private readonly ConcurrentQueue<string> _warnings = new();
    private readonly CancellationTokenSource _end = new();
    private readonly Task _painting;
    private int _order;

    public TerminalBuildObserver() => _painting = Task.Run(PaintAsync);

    public void Started(string stage) => _rows[stage] = new Row(Interlocked.Increment(ref _order)) { State = "[yellow]working[/]" };

    public void Output(string stage, string line) => Update(stage, row => row.Note = line);

    public void Progress(string stage, long done, long total) => Update(stage, row => (row.Done, row.Total) = (done, total));

    public void Finished(string stage, TimeSpan duration, bool cached)
    {
        _rows.TryAdd(stage, new Row(Interlocked.Increment(ref _order)));
        Update(stage, row =>
        {
            row.Clock.Stop();
            row.Duration = duration;
            (row.State, row.Note) = (cached ? "[grey]cached[/]" : "[green]done[/]", "");
        });
    }

    public void Failed(string stage, TimeSpan duration) => Update(stage, row =>
    {
        row.Clock.Stop();
        row.Duration = duration;
        row.State = "[red]stopped[/]";
    });

    public void Warning(string message) => _warnings.Enqueue(message);

    public void Dispose()
    {
        _end.Cancel();
        _painting.Wait();
        _end.Dispose();
    }

    private void Update(string stage, Action<Row> change)
    {
        if (_rows.TryGetValue(stage, out var row)) change(row);
    }

    private async Task PaintAsync()
    {
        await AnsiConsole.Live(Paint()).StartAsync(async context =>
        {
            while (!_end.IsCancellationRequested)
            {
                context.UpdateTarget(Paint());
                await Task.Delay(Repaint, _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            context.UpdateTarget(Paint());
        });
    }

    private Table Paint()
    {
        var table = new Table().NoBorder().HideHeaders().AddColumn("").AddColumn("").AddColumn(new TableColumn("").RightAligned()).AddColumn("");
        foreach (var (stage, row) in _rows.OrderBy(pair => pair.Value.Order))
            table.AddRow(new Markup($"[bold]{stage}[/]"), new Markup(row.State), new Markup($"{(row.Duration ?? row.Clock.Elapsed).TotalSeconds:0.0} s"), new Text(row.Describe()).Ellipsis());
        foreach (var warning in _warnings) table.AddRow(new Markup("[bold yellow]warning[/]"), Text.Empty, Text.Empty, new Text(warning));
        return table;
    }

    private sealed class Row(int order)
    {
        public int Order { get; } = order;
        public Stopwatch Clock { get; } = Stopwatch.StartNew();
        public string State { get; set; } = "";
        public string Note { get; set; } = "";
        public long Done { get; set; }
        public long Total { get; set; }
        public TimeSpan? Duration { get; set; }

        public string Describe()
        {
            if (Duration is not null || Done == 0) return Note;
            var rate = Done / Math.Max(Clock.Elapsed.TotalSeconds, 0.001);
            var left = Total > Done ? $", {(Total - Done) / rate:0} s left" : "";
            return $"{ByteSize.Format(Done)}{(Total > 0 ? $" of {ByteSize.Format(Total)}" : "")}, {ByteSize.Format((long)rate)}/s{left}";
        }
    }
}
