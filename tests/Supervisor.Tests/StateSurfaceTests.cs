using System.Text.Json.Nodes;
using Appliance.Supervisor.Control;

namespace Supervisor.Tests;

/// <summary>What a restore discarded, and what one would discard, as bus, page, JSON and command line tell it.</summary>
public sealed class StateSurfaceTests : IAsyncLifetime
{
    private const string Snapshots = "var/lib/appliance/snapshots/";
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync() => _scene = await DaemonScene.PrepareAsync();

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    private async Task<(JsonNode Json, string Page, string Text, JsonObject Bus)> LookAsync()
    {
        await _scene.StartAsync();
        var bus = await new SupervisorClient(_scene.Client).ReadAsync();
        var text = new StringWriter();
        StatusText.WriteStatus(bus, text);
        return (await _scene.GetAsync("/api/v1/status"), await _scene.Http.GetStringAsync("/"), text.ToString(), bus);
    }

    [Fact]
    public async Task ARestore_IsToldOfEverywhere()
    {
        _scene.Device.Write(Snapshots + "restored.json", """
            { "at": "2026-11-02T10:20:00+00:00", "from": "1.1", "to": "1.0", "takenAt": "2026-11-02T10:00:00+00:00",
              "paths": ["/etc/shop", "/var/lib/<shop>"], "bytesDiscarded": 2048, "newestDiscarded": "2026-11-02T10:15:00+00:00" }
            """);

        var (json, page, text, bus) = await LookAsync();

        Assert.Equal(("1.1", "1.0", 2048), ((string?)json["lastRestore"]!["from"], (string?)json["lastRestore"]!["to"], (int?)json["lastRestore"]!["bytes"]));
        Assert.Null(json["rollbackDiscards"]);
        Assert.Contains("version 1.0 got its state back. What version 1.1 had written since <time datetime=\"2026-11-02T10:00:00Z\">2026-11-02 10:00</time> to <code>/etc/shop</code>, <code>/var/lib/&lt;shop&gt;</code> was discarded: 2 KiB, the youngest of <time", page, StringComparison.Ordinal);
        Assert.Contains("State of 1.0 put back (2026-11-02 10:20 UTC): what 1.1 had written since 2026-11-02 10:00 UTC to /etc/shop, /var/lib/<shop> was discarded, 2 KiB", text, StringComparison.Ordinal);
        Assert.Equal(1793614800000000ul, (ulong)bus["lastRestore"]!["at"]!);
        Assert.Empty(bus["rollbackDiscards"]!.AsObject());
    }

    [Fact]
    public async Task WhileAVersionIsOnTrial_WhatGoingBackWouldDiscard_IsToldEverywhere()
    {
        _scene.Device.Write(Snapshots + "0.9_boot/manifest.json", """
            { "from": "0.9", "version": "1.0", "slot": "a", "bootId": "boot", "takenAt": "2026-11-02T10:00:00+00:00",
              "items": [{ "path": "/var/lib/shop", "kind": "Folder" }, { "path": "/var/lib/one.db", "kind": "File" }, { "path": "/var/lib/one.db-wal", "kind": "Absent" }] }
            """);

        var (json, page, text, bus) = await LookAsync();

        Assert.Equal(("1.0", "0.9"), ((string?)json["rollbackDiscards"]!["from"], (string?)json["rollbackDiscards"]!["to"]));
        Assert.Equal("""["/var/lib/shop","/var/lib/one.db"]""", json["rollbackDiscards"]!["paths"]!.ToJsonString());
        Assert.Contains("to <code>/var/lib/shop</code>, <code>/var/lib/one.db</code> goes if version 1.0 is not kept", page, StringComparison.Ordinal);
        Assert.Contains("If 1.0 is not kept: what was written since 2026-11-02 10:00 UTC to /var/lib/shop, /var/lib/one.db is discarded", text, StringComparison.Ordinal);
        Assert.Equal("0.9", (string?)bus["rollbackDiscards"]!["to"]);
    }

    [Theory]
    [InlineData("restored.json", "{")]
    [InlineData("0.9_boot/manifest.json", "no JSON")]
    public async Task ADamagedRecord_LeavesThePageAsItIs(string name, string content)
    {
        _scene.Device.Write(Snapshots + name, content);

        var (json, page, _, _) = await LookAsync();

        Assert.Null(json["lastRestore"]);
        Assert.Null(json["rollbackDiscards"]);
        Assert.DoesNotContain("State that goes back", page, StringComparison.Ordinal);
    }
}
