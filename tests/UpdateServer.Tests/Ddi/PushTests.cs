namespace UpdateServer.Tests.Ddi;

/// <summary>Devices that are connected are told at once.</summary>
public sealed class PushTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryDatabase]
    public async Task AConnectedDevice_IsWoken_ByAnAssignment_ACancel_AndARollout(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        var (device, other) = (scene.Device("edge-1"), scene.Device("edge-2"));
        await using var events = await device.ListenAsync();
        await using var others = await other.ListenAsync();
        Assert.Equal("event: poll", await events.NextAsync());
        Assert.Equal("event: poll", await others.NextAsync());
        var release = await scene.UploadAsync("app", "1.1", [1]);

        var action = await scene.AssignAsync("edge-1", release);
        Assert.Equal("event: poll", await events.NextAsync());
        await device.GetAsync((await device.LinkAsync("deploymentBase"))!);
        using (var _ = await scene.Admin.DeleteAsync($"/api/v1/devices/edge-1/actions/{action}", Token)) Assert.Equal("event: poll", await events.NextAsync());
        await device.ReportAsync("cancelAction", action, "closed", "success");

        var rollout = (long)(await scene.PostAsync("/api/v1/rollouts", new { name = "all", release, groups = new[] { "2" } }))["id"]!;
        await scene.PostAsync($"/api/v1/rollouts/{rollout}/start");
        Assert.Equal("event: poll", await events.NextAsync());
        Assert.Equal("event: poll", await others.NextAsync());
    }

    [Fact]
    public async Task ADeviceThatConnectsAgain_EndsTheConnectionBefore()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");
        await using var first = await device.ListenAsync();
        Assert.Equal("event: poll", await first.NextAsync());

        await using var second = await device.ListenAsync();

        Assert.Null(await first.NextAsync());
        Assert.Equal("event: poll", await second.NextAsync());
    }
}
