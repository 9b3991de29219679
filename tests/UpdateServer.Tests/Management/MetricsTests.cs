using System.Net;

namespace UpdateServer.Tests.Management;

/// <summary>What a server counts. Meters are the process', so no other server of a test may run meanwhile.</summary>
[Collection(nameof(Alone))]
public sealed class MetricsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Metrics_AskForAKey_AndCount()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        using var stranger = new HttpClient { BaseAddress = scene.Address };
        await scene.Device("edge-1").PollAsync();
        await scene.AssignAsync("edge-1", await scene.UploadAsync("app", "1.1", [1]));

        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.GetAsync("/metrics", Token)).StatusCode);
        var text = await scene.Admin.GetStringAsync("/metrics", Token);

        Assert.Matches("appliance_server_polls_total\\{[^}]*\\} 1", text);
        Assert.Matches("appliance_server_devices\\{[^}]*state=\"registered\"[^}]*\\} 1", text);
        Assert.Matches("appliance_server_actions\\{[^}]*state=\"pending\"[^}]*\\} 1", text);
    }

    [CollectionDefinition(nameof(Alone), DisableParallelization = true)]
    public sealed class Alone;
}
