using Appliance.Supervisor.Telemetry;
using Supervisor.Tests.Journal;

namespace Supervisor.Tests.Telemetry;

/// <summary>What the whole daemon reports to a collector.</summary>
public sealed class TelemetryTests : IAsyncLifetime
{
    private readonly JournalFolder _journal = new JournalFolder()
        .With(JournalFolder.FirstBoot, 3, "till", "of the boot before")
        .With(JournalFolder.ThisBoot, 3, "till", "no paper")
        .With(JournalFolder.ThisBoot, 6, "till", "a coin fell")
        .With(JournalFolder.ThisBoot, 4, "chatty", "hm")
        .Write();
    private Collector _collector = null!;
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync()
    {
        _collector = await Collector.StartAsync();
        _scene = await DaemonScene.PrepareAsync();
        _scene.JournalFolder = _journal.Path;
        _scene.Device.Write("usr/lib/appliance/telemetry.json", $$"""{"otlp":"{{_collector.Address}}","interval":"00:00:01","logs":[{"unit":"chatty.service","priority":3},{"unit":"meter.service","priority":6,"share":25},{"priority":5}]}""");
        await _scene.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _scene.DisposeAsync();
        await _collector.DisposeAsync();
        _journal.Dispose();
    }

    [Fact]
    public async Task Metrics_Logs_AndReports()
    {
        await Eventually.IsTrueAsync(() => _collector.Text("logs").Contains("no paper", StringComparison.Ordinal), "the journal");
        await Eventually.IsTrueAsync(() => _collector.Text("metrics").Contains("appliance.data.free", StringComparison.Ordinal), "metrics");
        await Eventually.IsTrueAsync(() => _collector.Text("logs").Contains("\"findings\":", StringComparison.Ordinal), "a status report");

        var logs = _collector.Text("logs");
        Assert.Contains("till.service", logs, StringComparison.Ordinal);
        Assert.Contains(StatusReporter.EventName, logs, StringComparison.Ordinal);
        Assert.Contains("edge-7", logs, StringComparison.Ordinal);
        Assert.All(["of the boot before", "a coin fell", "hm"], text => Assert.DoesNotContain(text, logs, StringComparison.Ordinal));
        Assert.Contains("appliance.id", _collector.Text("metrics"), StringComparison.Ordinal);
    }

    /// <summary>Of a rule's share roughly so many are sent, and the rest is counted.</summary>
    [Fact]
    public async Task OfAShare_RoughlySoManyAreSent_AndTheRestIsCounted()
    {
        const int readings = 300;
        for (var i = 0; i < readings; i++) _journal.With(JournalFolder.ThisBoot, 4, "meter", "a reading");
        _journal.Write();
        var forwarder = _scene.Service<JournalForwarder>();
        await Eventually.IsTrueAsync(() => forwarder.Forwarded + forwarder.SampledOut == readings + 1, "every line, and one of the till");

        // Six standard deviations to either side.
        Assert.InRange(forwarder.SampledOut, (int)(readings * 0.6), (int)(readings * 0.9));
        var sent = readings - forwarder.SampledOut;
        await Eventually.IsTrueAsync(() => _collector.Text("logs").Split("a reading").Length - 1 == sent, "those that are sent");
    }

    [Fact]
    public async Task ARestart_LosesNoLine_AndSendsNoneAgain()
    {
        await Eventually.IsTrueAsync(() => _collector.Text("logs").Contains("no paper", StringComparison.Ordinal), "the journal");
        await Eventually.IsTrueAsync(() => File.Exists(_scene.File("journal.cursor")), "the cursor");
        await _collector.StopAsync();
        await _scene.StopAsync();
        _journal.With(JournalFolder.ThisBoot, 3, "till", "while it was away").Write();

        await _scene.StartAsync();
        _journal.With(JournalFolder.ThisBoot, 3, "till", "while nobody took it").Write();
        await Eventually.IsTrueAsync(() => _scene.Service<JournalForwarder>().Forwarded == 2, "both lines");
        await _collector.StartAgainAsync();

        await Eventually.IsTrueAsync(() => _collector.Text("logs").Contains("while nobody took it", StringComparison.Ordinal), "the last line");
        var logs = _collector.Text("logs");
        Assert.All(["no paper", "while it was away", "while nobody took it"], text => Assert.Equal(2, logs.Split(text).Length));
    }
}
