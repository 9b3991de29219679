using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace UpdateServer.Tests.Rollouts;

/// <summary>A release for many devices, as the devices do their part of it.</summary>
public sealed class RolloutTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static async Task<(ServerScene Scene, List<DdiDevice> Devices, long Release)> FleetAsync(DatabaseKind kind, int count)
    {
        var scene = await ServerScene.StartAsync(kind);
        var devices = Enumerable.Range(1, count).Select(number => scene.Device($"edge-{number}")).ToList();
        foreach (var device in devices) await device.PollAsync();
        return (scene, devices, await scene.UploadAsync("app", "1.1", [1, 2, 3]));
    }

    private static async Task<long> CreateAsync(ServerScene scene, long release, object? more = null)
    {
        var plan = JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(more ?? new { }))!.AsObject();
        plan["name"] ??= "1.1 for all";
        plan["release"] = release;
        return (long)(await scene.PostAsync("/api/v1/rollouts", plan))["id"]!;
    }

    private static async Task<List<DdiDevice>> WithWorkAsync(IEnumerable<DdiDevice> devices)
    {
        var found = new List<DdiDevice>();
        foreach (var device in devices)
            if (await device.LinkAsync("deploymentBase") is not null) found.Add(device);
        return found;
    }

    private static string State(JsonNode rollout) => (string)rollout["state"]!;

    private static string Counts(JsonNode rollout) => string.Join(' ', rollout["groups"]!.AsArray().Select(group => $"{group!["total"]}:{group["running"]}/{group["finished"]}/{group["failed"]}/{group["canceled"]}"));

    [Theory, EveryDatabase]
    public async Task Groups_StartOneAfterTheOther_UntilAllAreThrough(DatabaseKind kind)
    {
        var (scene, devices, release) = await FleetAsync(kind, 20);
        await using var _ = scene;
        var id = await CreateAsync(scene, release, new { groups = new[] { "1", "25%" }, successPercent = 80 });
        Assert.Empty(await WithWorkAsync(devices));

        await scene.PostAsync($"/api/v1/rollouts/{id}/start");
        Assert.Equal("1:1/0/0/0 5:0/0/0/0 14:0/0/0/0", Counts(await scene.GetAsync($"/api/v1/rollouts/{id}")));
        foreach (var device in await WithWorkAsync(devices)) await device.DoAsync("success");
        await scene.StepAsync();
        var second = await WithWorkAsync(devices);
        Assert.Equal(5, second.Count);
        foreach (var device in second.Take(3)) await device.DoAsync("success");
        await scene.StepAsync();
        Assert.Equal(2, (await WithWorkAsync(devices)).Count); // three of five are not 80 %
        foreach (var device in await WithWorkAsync(devices)) await device.DoAsync("success");
        await scene.StepAsync();
        foreach (var device in await WithWorkAsync(devices)) await device.DoAsync("success");
        await scene.StepAsync();

        var rollout = await scene.GetAsync($"/api/v1/rollouts/{id}");
        Assert.Equal(("finished", "1:0/1/0/0 5:0/5/0/0 14:0/14/0/0"), (State(rollout), Counts(rollout)));
        Assert.Contains("20 of 20 devices run it", (string)rollout["reason"]!, StringComparison.Ordinal);
        Assert.Contains((await scene.GetAsync("/api/v1/audit")).AsArray(), entry => (string)entry!["what"]! == "rollout.group" && (string)entry["detail"]! == "group 3 of 3 started");
    }

    [Theory, EveryDatabase]
    public async Task ABadRelease_StopsInTheFirstGroup_ByItself(DatabaseKind kind)
    {
        var (scene, devices, release) = await FleetAsync(kind, 20);
        await using var _ = scene;
        var id = await CreateAsync(scene, release, new { groups = new[] { "4" }, errorPercent = 50 });
        await scene.PostAsync($"/api/v1/rollouts/{id}/start");
        var first = await WithWorkAsync(devices);
        await first[0].DoAsync("failure");
        await scene.StepAsync();
        Assert.Equal("running", State(await scene.GetAsync($"/api/v1/rollouts/{id}")));
        await first[1].DoAsync("failure");
        await scene.StepAsync();

        var rollout = await scene.GetAsync($"/api/v1/rollouts/{id}");
        Assert.Equal("paused", State(rollout));
        Assert.Contains("2 of the 4 devices of group 1 failed", (string)rollout["reason"]!, StringComparison.Ordinal);
        foreach (var device in await WithWorkAsync(devices)) await device.DoAsync("success");
        await scene.StepAsync();
        Assert.Empty(await WithWorkAsync(devices));
        var failed = (await scene.GetAsync($"/api/v1/rollouts/{id}/devices?state=failed")).AsArray();
        Assert.Equal(["it was a failure", "it was a failure"], failed.Select(member => (string)member!["reason"]!));

        // Somebody knows better; the failures of before do not pause it again, and those that failed are tried once more.
        await scene.PostAsync($"/api/v1/rollouts/{id}/resume");
        await scene.StepAsync();
        Assert.Equal("running", State(await scene.GetAsync($"/api/v1/rollouts/{id}")));
        await scene.PostAsync($"/api/v1/rollouts/{id}/retry");
        foreach (var device in first.Take(2)) await device.DoAsync("success");
        await scene.StepAsync();
        Assert.Equal("4:0/4/0/0 16:16/0/0/0", Counts(await scene.GetAsync($"/api/v1/rollouts/{id}")));
    }

    [Fact]
    public async Task ADeviceThatFails_IsTriedAgain_AsOftenAsThePlanSays()
    {
        var (scene, devices, release) = await FleetAsync(DatabaseKind.Sqlite, 2);
        await using var _ = scene;
        var id = await CreateAsync(scene, release, new { groups = new[] { "1" }, retries = 1, errorPercent = 100 });
        await scene.PostAsync($"/api/v1/rollouts/{id}/start");
        var first = Assert.Single(await WithWorkAsync(devices));

        await first.DoAsync("failure");
        Assert.Equal("1:1/0/0/0 1:0/0/0/0", Counts(await scene.GetAsync($"/api/v1/rollouts/{id}")));
        await first.DoAsync("failure");

        Assert.Equal("1:0/0/1/0 1:0/0/0/0", Counts(await scene.GetAsync($"/api/v1/rollouts/{id}")));
        Assert.Equal(2, (int)(await scene.GetAsync($"/api/v1/rollouts/{id}/devices?state=failed"))[0]!["attempts"]!);
        Assert.Empty(await WithWorkAsync(devices));
    }

    [Theory, EveryDatabase]
    public async Task CalledOff_NobodyBegins_AndWhoHasBegunIsAskedToStop(DatabaseKind kind)
    {
        var (scene, devices, release) = await FleetAsync(kind, 6);
        await using var _ = scene;
        var id = await CreateAsync(scene, release, new { groups = new[] { "3" } });
        await scene.PostAsync($"/api/v1/rollouts/{id}/start");
        var first = await WithWorkAsync(devices);
        await first[0].GetAsync((await first[0].LinkAsync("deploymentBase"))!);

        await scene.PostAsync($"/api/v1/rollouts/{id}/cancel");

        Assert.Empty(await WithWorkAsync(devices));
        Assert.NotNull(await first[0].LinkAsync("cancelAction"));
        Assert.Equal("3:1/0/0/2 3:0/0/0/3", Counts(await scene.GetAsync($"/api/v1/rollouts/{id}")));
        Assert.Equal(HttpStatusCode.BadRequest, (await scene.Admin.PostAsJsonAsync($"/api/v1/rollouts/{id}/start", new { }, Token)).StatusCode);
    }

    [Fact]
    public async Task WhoIsIn_IsSaidByTheFilter_AndWhoHasItAlreadyIsNot()
    {
        var (scene, devices, release) = await FleetAsync(DatabaseKind.Sqlite, 6);
        await using var _ = scene;
        foreach (var device in devices.Take(4)) await device.DescribeAsync(new { site = "berlin" });
        await scene.AssignAsync("edge-1", release);
        await devices[0].DoAsync("success");

        var id = await CreateAsync(scene, release, new { filter = "site=berlin|paris id!=edge-2" });

        Assert.Equal(["edge-3", "edge-4"], (await scene.GetAsync($"/api/v1/rollouts/{id}/devices")).AsArray().Select(member => (string)member!["device"]!).Order());
        Assert.Equal(HttpStatusCode.BadRequest, (await scene.Admin.PostAsJsonAsync("/api/v1/rollouts", new { name = "x", release, filter = "site=rome" }, Token)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await scene.Admin.PostAsJsonAsync("/api/v1/rollouts", new { name = "x", release, filter = "site" }, Token)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await scene.Admin.PostAsJsonAsync("/api/v1/rollouts", new { name = "x", release, groups = new[] { "0" } }, Token)).StatusCode);
    }

    [Fact]
    public async Task WithApproval_SomebodyElseMustAgree()
    {
        var (scene, _, release) = await FleetAsync(DatabaseKind.Sqlite, 2);
        await using var __ = scene;
        var id = await CreateAsync(scene, release, new { approval = true });
        var other = (string)(await scene.PostAsync("/api/v1/keys", new { name = "otto", role = "operator" }))["value"]!;
        var viewer = (string)(await scene.PostAsync("/api/v1/keys", new { name = "vera", role = "viewer" }))["value"]!;

        async Task<HttpStatusCode> AskAsync(HttpClient client, string what) => (await client.PostAsJsonAsync($"/api/v1/rollouts/{id}/{what}", new { }, Token)).StatusCode;

        Assert.Equal(HttpStatusCode.BadRequest, await AskAsync(scene.Admin, "start"));
        Assert.Equal(HttpStatusCode.BadRequest, await AskAsync(scene.Admin, "approve"));
        Assert.Equal(HttpStatusCode.Forbidden, await AskAsync(scene.Client("Bearer", viewer), "approve"));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(scene.Client("Bearer", "apk_1_guessed"), "approve"));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(scene.Client("Bearer", other), "approve"));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(scene.Admin, "start"));
    }

    /// <summary>Several servers on one database move the same rollout on, and devices report to any of them: nothing is done twice, nothing is lost.</summary>
    [Theory, EveryDatabase]
    public async Task ManyHandsAtOnce_CountEachDeviceOnce(DatabaseKind kind)
    {
        var (scene, devices, release) = await FleetAsync(kind, 40);
        await using var _ = scene;
        var id = await CreateAsync(scene, release, new { groups = new[] { "25%", "25%" }, successPercent = 50, errorPercent = 100 });
        await scene.PostAsync($"/api/v1/rollouts/{id}/start");
        for (var round = 0; round < 20; round++)
        {
            var work = await WithWorkAsync(devices);
            await Task.WhenAll(work.Select((device, index) => device.DoAsync(index % 5 == 4 ? "failure" : "success")).Concat(Enumerable.Range(0, 4).Select(_ => scene.StepAsync())));
            await scene.StepAsync();
            if (State(await scene.GetAsync($"/api/v1/rollouts/{id}")) == "finished") break;
        }

        var rollout = await scene.GetAsync($"/api/v1/rollouts/{id}");
        Assert.Equal("finished", State(rollout));
        var (finished, failed) = (rollout["groups"]!.AsArray().Sum(group => (int)group!["finished"]!), rollout["groups"]!.AsArray().Sum(group => (int)group!["failed"]!));
        Assert.Equal((40, 0), (finished + failed, rollout["groups"]!.AsArray().Sum(group => (int)group!["running"]!)));
        Assert.Equal(failed, (await scene.GetAsync($"/api/v1/rollouts/{id}/devices?state=failed&take=500")).AsArray().Count);
        foreach (var device in Enumerable.Range(1, 40)) Assert.Single((await scene.GetAsync($"/api/v1/devices/edge-{device}/actions")).AsArray());
    }
}
