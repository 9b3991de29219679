using System.Net;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Inventory;
using Core.Tests.Tuf;

namespace UpdateServer.Tests.Inventory;

/// <summary>What devices tell of themselves in batches, and what people see of it.</summary>
public sealed class ReportTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

    [Theory, EveryDatabase]
    public async Task TheSameBatchTwice_CountsOnce(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        var device = scene.Device("edge-1");
        var report = new { at = Noon, health = "unhealthy", reasons = new[] { "web: fails", "disk: full" }, log = new[] { new { at = Noon, priority = 3, unit = "web", text = "cannot reach the till" } } };

        Assert.Equal(HttpStatusCode.OK, await device.SendReportAsync("b-1", report));
        Assert.Equal(HttpStatusCode.OK, await device.SendReportAsync("b-1", report));

        var line = Assert.Single((await scene.GetAsync("/api/v1/devices/edge-1/log")).AsArray());
        Assert.Equal(("web", "cannot reach the till"), ((string?)line!["unit"], (string?)line["text"]));
        var seen = await scene.GetAsync("/api/v1/devices/edge-1");
        Assert.Equal(("unhealthy", "web: fails\ndisk: full"), ((string?)seen["health"], (string?)seen["healthReason"]));
        Assert.Equal(1, (int)(await scene.GetAsync("/api/v1/devices?filter=health%3Dunhealthy"))["total"]!);
        Assert.Equal(0, (int)(await scene.GetAsync("/api/v1/devices?filter=health%3Dhealthy%7Cstarting"))["total"]!);
    }

    [Fact]
    public async Task WhatComesLate_ChangesNothingThatWasSaidLater_AndIsKept()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");

        await device.SendReportAsync("second", new { at = Noon, health = "healthy", log = new[] { new { at = Noon, priority = 6, text = "all is well" } } });
        await device.SendReportAsync("first", new { at = Noon.AddHours(-3), health = "unhealthy", log = new[] { new { at = Noon.AddHours(-3), priority = 3, text = "no network" } } });

        Assert.Equal("healthy", (string?)(await scene.GetAsync("/api/v1/devices/edge-1"))["health"]);
        Assert.Equal(["all is well", "no network"], (await scene.GetAsync("/api/v1/devices/edge-1/log")).AsArray().Select(line => (string?)line!["text"]));
        Assert.Equal(["no network"], (await scene.GetAsync("/api/v1/devices/edge-1/log?priority=4")).AsArray().Select(line => (string?)line!["text"]));
    }

    /// <summary>A device whose clock is years ahead says the truth again once it is set right.</summary>
    [Fact]
    public async Task AClockThatWasAhead_DoesNotSilenceADevice()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");

        await device.SendReportAsync("ahead", new { at = DateTimeOffset.UtcNow.AddYears(5), health = "unhealthy" });
        await device.SendReportAsync("right", new { at = DateTimeOffset.UtcNow.AddMinutes(1), health = "healthy" });

        Assert.Equal("healthy", (string?)(await scene.GetAsync("/api/v1/devices/edge-1"))["health"]);
    }

    /// <summary>A batch that no database could keep would be sent for ever.</summary>
    [Theory, EveryDatabase]
    public async Task WhatIsNoText_IsMadeOne(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        var device = scene.Device("edge-1");

        Assert.Equal(HttpStatusCode.OK, await device.SendReportAsync("b-1", new { at = Noon, health = "unhealthy", reasons = new[] { "a\0b\u001b[31m", new string('x', 4095) + "\U0001F600" }, log = new[] { new { at = Noon, priority = 3, unit = "w\0b", text = "\0" } } }));

        Assert.StartsWith("a\uFFFDb\uFFFD[31m\nxxx", (string?)(await scene.GetAsync("/api/v1/devices/edge-1"))["healthReason"], StringComparison.Ordinal);
        Assert.Equal("\uFFFD", (string?)(await scene.GetAsync("/api/v1/devices/edge-1/log"))[0]!["text"]);
    }

    [Fact]
    public async Task OldBatches_MakeRoom()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");

        for (var i = 0; i < DeviceReports.Kept + 5; i++) await device.SendReportAsync($"b-{i}", new { at = Noon.AddMinutes(i), log = new[] { new { at = Noon.AddMinutes(i), priority = 6, text = $"line {i}" } } });

        var lines = (await scene.GetAsync("/api/v1/devices/edge-1/log?take=500")).AsArray();
        Assert.Equal(DeviceReports.Kept, lines.Count);
        Assert.Equal(("line 204", "line 5"), ((string?)lines[0]!["text"], (string?)lines[^1]!["text"]));
    }

    [Fact]
    public async Task WhatMakesNoSense_IsRefused()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");

        Assert.Equal(HttpStatusCode.BadRequest, await device.SendReportAsync("b-1", new { health = "healthy" }));
        Assert.Equal(HttpStatusCode.BadRequest, await device.SendReportAsync("b-1", new { at = Noon, health = "splendid" }));
        Assert.Equal(HttpStatusCode.BadRequest, await device.SendReportAsync("b%2F1", new { at = Noon }));
        Assert.Equal(HttpStatusCode.BadRequest, await device.SendReportAsync("b-1", new { at = Noon, log = new[] { new { at = Noon, priority = 9, text = "x" } } }));
        // Small on its way, and too large unpacked.
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await device.SendReportAsync("b-1", new { at = Noon, reasons = new[] { new string('x', 8 << 20) } }));
        Assert.Equal("unknown", (string?)(await scene.GetAsync("/api/v1/devices/edge-1"))["health"]);
    }

    [Theory, EveryDatabase]
    public async Task TheOverview_CountsTheFleet(DatabaseKind kind)
    {
        var time = new SettableTime(Noon);
        await using var scene = await ServerScene.StartAsync(kind, time: time);
        foreach (var (id, version, health) in new[] { ("edge-1", "1.0", "healthy"), ("edge-2", "1.0", "unhealthy"), ("edge-3", "1.1", "healthy") })
        {
            await scene.Device(id).DescribeAsync(new { version });
            await scene.Device(id).SendReportAsync("b-1", new { at = Noon, health });
        }
        await scene.PostAsync("/api/v1/devices", new { id = "edge-4" });
        await scene.Service<SeenDevices>().FlushAsync(TestContext.Current.CancellationToken);

        var numbers = await scene.GetAsync("/api/v1/overview");
        Assert.Equal((4, 1, 1), ((int)numbers["devices"]!, (int)numbers["silent"]!, (int)numbers["never"]!));
        Assert.Equal(["1.0: 2", "1.1: 1", "unknown: 1"], numbers["versions"]!.AsArray().Select(share => $"{share!["name"]}: {share["count"]}"));
        Assert.Equal(["unknown: 1", "healthy: 2", "unhealthy: 1"], numbers["health"]!.AsArray().Select(share => $"{share!["name"]}: {share["count"]}"));

        time.Now = Noon.AddMinutes(16); // three intervals of five minutes
        Assert.Equal(4, (int)(await scene.GetAsync("/api/v1/overview"))["silent"]!);
    }
}
