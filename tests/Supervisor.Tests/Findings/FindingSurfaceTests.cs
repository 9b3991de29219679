using System.Text.Json.Nodes;
using Appliance.Supervisor.Control;

namespace Supervisor.Tests.Findings;

/// <summary>Findings as bus, page, JSON and command line tell them.</summary>
public sealed class FindingSurfaceTests : IAsyncLifetime
{
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync() => _scene = await DaemonScene.PrepareAsync("""
        stabilisation: 0s
        checks:
          - name: shop
            command: [/bin/sh, -c, "echo 'the <shop> is shut'; exit 1"]
            severity: warn
        """);

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    [Fact]
    public async Task WhatIsFound_IsToldEverywhere()
    {
        _scene.Device.Write("sys/class/thermal/thermal_zone0/temp", "41000\n");
        _scene.Device.Write("sys/class/thermal/thermal_zone1/temp", "91500\n");
        _scene.Device.Write("sys/class/thermal/thermal_zone2/temp", "-274000\n");
        var announced = new TaskCompletionSource();
        await _scene.Client.SubscribeAsync("type='signal',path='/io/appliance/Supervisor1',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'", signal =>
        {
            if (((Dictionary<object, object>)signal.Arguments[1]).ContainsKey("Findings")) announced.TrySetResult();
        });
        await _scene.StartAsync();
        await Eventually.IsTrueAsync(async () => (await FindAsync()).Any(IsShop), "the finding");
        await announced.Task.WaitAsync(TestContext.Current.CancellationToken);

        var found = await FindAsync();
        var shop = found.Single(IsShop)!;
        Assert.Equal(("check-fails", "warning", "The check shop fails"), ((string?)shop["id"], (string?)shop["severity"], (string?)shop["title"]));
        Assert.Contains("92 °C", (string?)found.Single(finding => (string?)finding!["id"] == "too-hot")!["explanation"], StringComparison.Ordinal);

        var page = await _scene.Http.GetStringAsync("/");
        Assert.Contains("<span class=\"state warn\">warning</span> <strong>The check shop fails</strong>", page, StringComparison.Ordinal);
        Assert.Contains("the &lt;shop&gt; is shut", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<shop>", page, StringComparison.Ordinal);

        var bus = (JsonArray)(await new SupervisorClient(_scene.Client).ReadAsync())["findings"]!;
        Assert.Equal(Ids(found), Ids(bus));
        var text = new StringWriter();
        StatusText.WriteFindings(bus, text);
        Assert.Contains("warning  The check shop fails (since ", text.ToString(), StringComparison.Ordinal);
        Assert.Contains("the <shop> is shut", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutAny_TheCommandSaysSo()
    {
        var text = new StringWriter();
        StatusText.WriteFindings([], text);
        Assert.Equal("nothing\n", text.ToString());
    }

    private async Task<JsonArray> FindAsync() => (JsonArray)await _scene.GetAsync("/api/v1/findings");

    private static bool IsShop(JsonNode? finding) => (string?)finding!["subject"] == "shop";

    private static List<string> Ids(JsonArray findings) => findings.Select(finding => (string)finding!["id"]!).ToList();
}
