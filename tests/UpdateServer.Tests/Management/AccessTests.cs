using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace UpdateServer.Tests.Management;

/// <summary>Who may do what.</summary>
public sealed class AccessTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryDatabase]
    public async Task AnEnrolmentToken_LetsInAsManyDevicesAsItSays(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        using var stranger = new HttpClient { BaseAddress = scene.Address };
        var token = (string)(await scene.PostAsync("/api/v1/enrolment-tokens", new { name = "line 3", uses = 2 }))["value"]!;

        Task<HttpResponseMessage> EnrolAsync(string id, string with) => stranger.PostAsJsonAsync("/api/v1/enrol", new { token = with, id }, Token);

        var first = (string)(await ServerScene.ReadAsync(await EnrolAsync("edge-1", token)))["token"]!;
        // Its answer may have been lost: until the device has used a token, it may ask again, and that is no further use.
        var again = (string)(await ServerScene.ReadAsync(await EnrolAsync("edge-1", token)))["token"]!;
        Assert.Equal(HttpStatusCode.Unauthorized, await new DdiDevice(scene.Client("TargetToken", first), "edge-1").StatusAsync("/default/controller/v1/edge-1"));
        Assert.Equal(HttpStatusCode.OK, await new DdiDevice(scene.Client("TargetToken", again), "edge-1").StatusAsync("/default/controller/v1/edge-1"));
        await scene.Service<Appliance.UpdateServer.Fleet.SeenDevices>().FlushAsync(Token);
        Assert.Equal(HttpStatusCode.BadRequest, (await EnrolAsync("edge-1", token)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await EnrolAsync("edge-2", token)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await EnrolAsync("edge-3", token)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await EnrolAsync("edge-3", "enrol_1_guessed")).StatusCode);
        Assert.Equal(2, (int)(await scene.GetAsync("/api/v1/devices"))["total"]!);
    }

    [Fact]
    public async Task OfOneUse_ManyAtOnce_OneGetsIn()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Postgres);
        using var stranger = new HttpClient { BaseAddress = scene.Address };
        var token = (string)(await scene.PostAsync("/api/v1/enrolment-tokens", new { name = "one" }))["value"]!;

        var answers = await Task.WhenAll(Enumerable.Range(1, 10).Select(number => stranger.PostAsJsonAsync("/api/v1/enrol", new { token, id = $"edge-{number}" }, Token)));

        Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.OK);
        Assert.Equal(1, (int)(await scene.GetAsync("/api/v1/devices"))["total"]!);
    }

    [Fact]
    public async Task Strangers_AreSlowedDown()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        using var stranger = new HttpClient { BaseAddress = scene.Address };
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 70; i++) statuses.Add((await stranger.PostAsJsonAsync("/api/v1/enrol", new { token = $"enrol_1_{i}", id = "x" }, Token)).StatusCode);

        Assert.Equal(HttpStatusCode.BadRequest, statuses[0]);
        Assert.Equal(HttpStatusCode.TooManyRequests, statuses[^1]);
    }

    [Fact]
    public async Task Keys_HaveRoles_End_AndCanBeTakenBack_ButNotTheLastOne()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var viewer = scene.Client("Bearer", (string)(await scene.PostAsync("/api/v1/keys", new { name = "vera", role = "viewer", days = 3 }))["value"]!);

        Assert.Equal(HttpStatusCode.OK, (await viewer.GetAsync("/api/v1/devices", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await viewer.PostAsJsonAsync("/api/v1/devices", new { id = "x" }, Token)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await viewer.GetAsync("/api/v1/keys", Token)).StatusCode);
        var keys = (await scene.GetAsync("/api/v1/keys")).AsArray();
        Assert.Equal(["anna", "vera"], keys.Select(key => (string)key!["name"]!));
        Assert.DoesNotContain("hash", keys.ToJsonString(), StringComparison.OrdinalIgnoreCase);
        using (var _ = await scene.Admin.DeleteAsync($"/api/v1/keys/{keys[1]!["id"]}", Token)) Assert.Equal(HttpStatusCode.Unauthorized, (await viewer.GetAsync("/api/v1/devices", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await scene.Admin.DeleteAsync($"/api/v1/keys/{keys[0]!["id"]}", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await scene.Admin.DeleteAsync("/api/v1/keys/4711", Token)).StatusCode);
    }

    /// <summary>Every endpoint is described, and asks for a key, but the ones that are meant for strangers.</summary>
    [Fact]
    public async Task TheDescription_HasEveryEndpoint_AndEachAsksForAKey()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        using var stranger = new HttpClient { BaseAddress = scene.Address };
        var description = JsonNode.Parse(await stranger.GetStringAsync("/api/v1/openapi.json", Token))!;
        var paths = description["paths"]!.AsObject();

        Assert.Contains("/api/v1/rollouts/{id}/start", paths.Select(path => path.Key));
        Assert.DoesNotContain(paths, path => path.Key.Contains("controller", StringComparison.Ordinal));
        foreach (var (path, methods) in paths)
        {
            foreach (var (method, operation) in methods!.AsObject())
            {
                Assert.NotNull(operation!["summary"]);
                if (path == "/api/v1/enrol") continue;
                using var request = new HttpRequestMessage(new HttpMethod(method), path.Replace("{id}", "1", StringComparison.Ordinal).Replace("{action}", "1", StringComparison.Ordinal)) { Content = method is "get" or "delete" ? null : JsonContent.Create(new { id = "x", name = "x", release = 1, role = "viewer" }) };
                using var answer = await stranger.SendAsync(request, Token);
                Assert.True(answer.StatusCode == HttpStatusCode.Unauthorized, $"{method} {path}: {answer.StatusCode}");
            }
        }
    }
}
