using System.Text.Json.Nodes;

namespace Appliance.ImageBuilder.Build;

/// <summary>One JSON object a line: <c>{"event":"stage","stage":"erofs","state":"done","seconds":3.1}</c>.</summary>
internal sealed class JsonBuildObserver(TextWriter output) : IDisposableBuildObserver
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _lastPercent = [];

    public void Started(string stage) => Line(new() { ["event"] = "stage", ["stage"] = stage, ["state"] = "started" });

    public void Output(string stage, string line) => Line(new() { ["event"] = "output", ["stage"] = stage, ["line"] = line });

    public void Progress(string stage, long done, long total)
    {
        var percent = total > 0 ? done * 100 / total : done >> 22;
        lock (_lock)
        {
            if (_lastPercent.TryGetValue(stage, out var last) && last == percent) return;
            _lastPercent[stage] = percent;
        }
        Line(new() { ["event"] = "progress", ["stage"] = stage, ["bytes"] = done, ["total"] = total });
    }

    public void Finished(string stage, TimeSpan duration, bool cached) =>
        Line(new() { ["event"] = "stage", ["stage"] = stage, ["state"] = cached ? "cached" : "done", ["seconds"] = Math.Round(duration.TotalSeconds, 2) });

    public void Failed(string stage, TimeSpan duration) =>
        Line(new() { ["event"] = "stage", ["stage"] = stage, ["state"] = "failed", ["seconds"] = Math.Round(duration.TotalSeconds, 2) });

    public void Warning(string message) => Line(new() { ["event"] = "warning", ["message"] = message });

    public void Dispose() => output.Flush();

    private void Line(JsonObject line)
    {
        lock (_lock) output.WriteLine(line.ToJsonString());
    }
}
