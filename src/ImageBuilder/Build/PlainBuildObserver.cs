namespace Appliance.ImageBuilder.Build;

/// <summary>One line when a stage begins and one when it ends, for logs and pipes.</summary>
internal sealed class PlainBuildObserver(TextWriter output) : IDisposableBuildObserver
{
    private readonly Lock _lock = new();

    public void Started(string stage) => Line($"{stage}: started");

    public void Output(string stage, string line)
    {
        // The stage's own lines are for the terminal; a failed stage shows its last ones in the error.
    }

    public void Progress(string stage, long done, long total)
    {
    }

    public void Finished(string stage, TimeSpan duration, bool cached) => Line(cached ? $"{stage}: cached" : $"{stage}: done in {duration.TotalSeconds:0.0} s");

    public void Failed(string stage, TimeSpan duration) => Line($"{stage}: stopped after {duration.TotalSeconds:0.0} s");

    public void Warning(string message) => Line($"warning: {message}");

    public void Dispose() => output.Flush();

    private void Line(string text)
    {
        lock (_lock) output.WriteLine(text);
    }
}
