using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;
using Core.Tests.Tuf;

namespace UpdateServer.Tests.Releases;

/// <summary>Credentials that devices make anew because the server says so.</summary>
public sealed class RotationTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryDatabase]
    public async Task ARotation_IsGiven_AndDone_AndIsNotWhatTheDeviceHas(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        var device = scene.Device("edge-1");
        await device.DescribeAsync(new { board = "vm", version = "1.0" });
        var software = await scene.AssignAsync("edge-1", await scene.UploadAsync("app", "1.1", [1, 2, 3]));
        await device.DoAsync("success");
        await device.DescribeAsync(new { board = "vm", version = "1.1" });

        var rotation = await scene.PostAsync("/api/v1/rotations", new { credential = "ssh-host-key" });
        Assert.Equal(("rotation", "ssh-host-key", "rotation", "", "", true), ((string?)rotation["kind"], (string?)rotation["name"], (string?)rotation["part"], (string?)rotation["board"], (string?)rotation["channel"], (bool)rotation["available"]!));
        Assert.Matches(@"^\d{8}T\d{4}Z$", (string?)rotation["version"]);
        Assert.Contains((await scene.GetAsync("/api/v1/releases")).AsArray(), release => JsonNode.DeepEquals(release!["id"], rotation["id"]) && (string?)release["kind"] == "rotation");
        Assert.Contains((await scene.GetAsync("/api/v1/audit")).AsArray(), entry => (string?)entry!["what"] == "rotation.create" && (string?)entry["subject"] == $"release ssh-host-key {rotation["version"]}");

        for (var time = 0; time < 2; time++) // the same rotation may come again
        {
            var action = await scene.AssignAsync("edge-1", (long)rotation["id"]!, forced: true);
            var deployment = (await device.GetAsync((await device.LinkAsync("deploymentBase"))!))["deployment"]!;
            Assert.Equal("forced", (string?)deployment["update"]);
            Assert.Equal($$"""[{"part":"rotation","name":"ssh-host-key","version":"{{rotation["version"]}}","artifacts":[]}]""", deployment["chunks"]!.ToJsonString());
            await device.DoAsync("success");

            var told = (await scene.GetAsync("/api/v1/devices/edge-1/actions"))[0]!;
            Assert.Equal((action, "finished"), ((long)told["id"]!, (string?)told["state"]));
            Assert.Null(await device.LinkAsync("deploymentBase"));
            Assert.Equal("app 1.1", (string?)(await scene.GetAsync("/api/v1/devices/edge-1"))["installed"]);
            Assert.EndsWith($"/installedBase/{software}", await device.LinkAsync("installedBase"), StringComparison.Ordinal);
        }
        await scene.AssignAsync("edge-1", (long)rotation["id"]!);
        await device.DoAsync("failure");
        Assert.Equal("failed", (string?)(await scene.GetAsync("/api/v1/devices/edge-1/actions"))[0]!["state"]);
    }

    /// <summary>A new credential that is brought: a rotation with a file, which devices fetch as any other.</summary>
    [Theory, EveryDatabase]
    public async Task ARotationWithAFile_GivesItToTheDevice_AndHasOneAlone(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        var device = scene.Device("edge-1");
        await device.PollAsync();
        using (var uploaded = await PutAsync("ssh-authorized-keys/7/files/list", "a list")) Assert.Equal(HttpStatusCode.OK, uploaded.StatusCode);
        using (var again = await PutAsync("ssh-authorized-keys/7/files/list", "a list")) Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        var rotation = (await scene.GetAsync("/api/v1/releases?kind=rotation")).AsArray().Single()!;
        Assert.Equal(("ssh-authorized-keys", "7", "rotation"), ((string?)rotation["name"], (string?)rotation["version"], (string?)rotation["part"]));

        await scene.AssignAsync("edge-1", (long)rotation["id"]!);
        var chunk = (await device.GetAsync((await device.LinkAsync("deploymentBase"))!))["deployment"]!["chunks"]![0]!;
        Assert.Equal("rotation", (string?)chunk["part"]);
        using (var file = await device.DownloadAsync((string)chunk["artifacts"]![0]!["_links"]!["download"]!["href"]!)) Assert.Equal("a list", await file.Content.ReadAsStringAsync(Token));
        await device.DoAsync("success");
        Assert.Null((string?)(await scene.GetAsync("/api/v1/devices/edge-1"))["installed"]); // it is no software

        await RefusesAsync("ssh-authorized-keys/7/files/list", "another list", "has another file list already");
        await RefusesAsync("ssh-authorized-keys/7/files/second", "a list", "is there already, with another file");
        await scene.PostAsync("/api/v1/rotations", new { credential = "all", version = "1" });
        await RefusesAsync("all/1/files/list", "a list", "is there already, without a file");
        await RefusesAsync("A%20B/1/files/list", "a list", "is no name of a credential");

        Task<HttpResponseMessage> PutAsync(string path, string content) => scene.Admin.PutAsync($"/api/v1/releases/{path}?part=rotation", new StringContent(content), Token);

        async Task RefusesAsync(string path, string content, string why)
        {
            using var answer = await PutAsync(path, content);
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.Contains(why, (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!["title"] + (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!["detail"], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ADeviceWithoutSoftwareOfTheServer_HasNothingInstalledByARotation()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");
        await device.PollAsync();
        await scene.AssignAsync("edge-1", (long)(await scene.PostAsync("/api/v1/rotations", new { credential = "all" }))["id"]!);
        await device.DoAsync("success");

        Assert.Null((string?)(await scene.GetAsync("/api/v1/devices/edge-1"))["installed"]);
        Assert.Null(await device.LinkAsync("installedBase"));
    }

    [Theory, EveryDatabase]
    public async Task TheSameRotationAgain_IsTheOneThatThereIs_AlsoAtOnce(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        var made = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => scene.PostAsync("/api/v1/rotations", new { credential = "page-certificate", version = "2026-autumn" })));

        Assert.Single(made.Select(rotation => (long)rotation["id"]!).Distinct());
        Assert.NotEqual((long)made[0]["id"]!, (long)(await scene.PostAsync("/api/v1/rotations", new { credential = "page-certificate", version = "2026-winter" }))["id"]!);
        Assert.Equal(2, (await scene.GetAsync("/api/v1/audit")).AsArray().Count(entry => (string?)entry!["what"] == "rotation.create"));
    }

    [Fact]
    public async Task WhatIsNoCredential_AndWhoMayNot_AreRefused()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        foreach (var credential in new[] { null, "", "SSH", "a/b", "a b", "ssh\n", new string('a', 65) }) await RefusesAsync(scene.Admin, HttpStatusCode.BadRequest, new { credential });
        await RefusesAsync(scene.Admin, HttpStatusCode.BadRequest, new { credential = "all", version = "../1" });
        await RefusesAsync(scene.Client("Bearer", await scene.KeyAsync("vera", Role.Viewer)), HttpStatusCode.Forbidden, new { credential = "all" });
        Assert.Equal(new string('a', 64), (string?)(await scene.PostAsync("/api/v1/rotations", new { credential = new string('a', 64) }))["name"]);

        async Task RefusesAsync(HttpClient client, HttpStatusCode expected, object body)
        {
            using var answer = await client.PostAsJsonAsync("/api/v1/rotations", body, Token);
            Assert.Equal(expected, answer.StatusCode);
        }
    }

    /// <summary>Each is a release, and a fleet has many; what devices run is chosen from among software.</summary>
    [Theory, EveryDatabase]
    public async Task ManyRotations_HideNoSoftware_AndTheNewestIsOffered(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        await scene.Device("edge-1").PollAsync();
        var software = await scene.UploadAsync("app", "1.1", [1, 2, 3]);
        var oldest = (long)(await scene.PostAsync("/api/v1/rotations", new { credential = "all", version = "0" }))["id"]!;
        await scene.Database.WriteAsync(context =>
        {
            context.Releases.AddRange(Enumerable.Range(1, 600).Select(version => new Release { Kind = ReleaseKind.Rotation, Part = "rotation", Name = "all", Version = $"{version}", CreatedAt = DateTimeOffset.UtcNow }));
            return Task.CompletedTask;
        }, Token);

        Assert.Contains((await scene.GetAsync("/api/v1/releases")).AsArray(), release => (long)release!["id"]! == software);
        Assert.Equal(["app"], (await scene.GetAsync("/api/v1/releases?kind=files")).AsArray().Select(release => (string?)release!["name"]));
        Assert.Equal(["600", "599"], (await scene.GetAsync("/api/v1/releases?kind=rotation&take=2")).AsArray().Select(release => (string?)release!["version"]));

        foreach (var page in new[] { "/releases", "/rollouts/new", "/devices/edge-1" }) Assert.Contains("app 1.1", await PageAsync(page), StringComparison.Ordinal);
        foreach (var page in new[] { "/releases", "/rollouts/new" })
        {
            Assert.Contains("all 600", await PageAsync(page), StringComparison.Ordinal);
            Assert.DoesNotContain("all 599", await PageAsync(page), StringComparison.Ordinal);
        }
        Assert.DoesNotContain("all 600", await PageAsync("/devices/edge-1"), StringComparison.Ordinal); // it has a form of its own
        Assert.Matches($"<option value=\"{oldest}\" selected>all 0<", await PageAsync($"/rollouts/new?release={oldest}"));

        Task<string> PageAsync(string path) => scene.PageAsync(path);
    }

    [Theory, EveryDatabase]
    public async Task ForADeviceThatHasLeft_NothingIsMade(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        await scene.Device("edge-1").PollAsync();
        using (var left = await scene.Admin.DeleteAsync("/api/v1/devices/edge-1", Token)) Assert.Equal(HttpStatusCode.OK, left.StatusCode);

        using var byPage = await scene.SendFormAsync("/devices/edge-1/rotate", ("credential", "all"));
        using var byApi = await scene.Admin.PostAsJsonAsync("/api/v1/devices/edge-1/rotations", new { credential = "all" }, Token);
        using var nobody = await scene.Admin.PostAsJsonAsync("/api/v1/devices/edge-2/rotations", new { credential = "all" }, Token);

        Assert.Equal((HttpStatusCode.BadRequest, HttpStatusCode.BadRequest, HttpStatusCode.NotFound), (byPage.StatusCode, byApi.StatusCode, nobody.StatusCode));
        Assert.Contains("edge-1 has left the fleet", await byApi.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        Assert.Empty((await scene.GetAsync("/api/v1/releases")).AsArray());
        Assert.DoesNotContain((await scene.GetAsync("/api/v1/audit")).AsArray(), entry => (string?)entry!["what"] == "rotation.create");
    }

    [Theory, EveryDatabase]
    public async Task ForOneDevice_ItIsMadeAndGiven_AndOneThatThereIsIsGivenAgain(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind, time: new SettableTime(DateTimeOffset.UtcNow));
        foreach (var id in new[] { "edge-1", "edge-2" }) await scene.Device(id).PollAsync();

        var given = await Task.WhenAll(new[] { "edge-1", "edge-2" }.Select(id => scene.PostAsync($"/api/v1/devices/{id}/rotations", new { credential = "all", forced = true })));

        Assert.Single(given.Select(answer => (long)answer["rotation"]!["id"]!).Distinct()); // of one minute
        foreach (var id in new[] { "edge-1", "edge-2" }) await scene.Device(id).DoAsync("success");
    }

    [Theory, EveryDatabase]
    public async Task InAFleet_ItGoesInGroups_AndPausesWhereOneFails(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        var devices = Enumerable.Range(1, 20).Select(number => scene.Device($"edge-{number}")).ToList();
        foreach (var device in devices) await device.PollAsync();
        var release = (long)(await scene.PostAsync("/api/v1/rotations", new { credential = "k3s-certificates" }))["id"]!;
        var id = await StartAsync("first", release, "2", "8");

        Assert.Equal(2, await DoAsync("success"));
        await scene.StepAsync();
        Assert.Equal(8, await DoAsync("failure"));
        await scene.StepAsync();
        var rollout = await scene.GetAsync($"/api/v1/rollouts/{id}");
        Assert.Equal("paused", (string?)rollout["state"]);
        Assert.Contains("8 of the 8 devices of group 2 failed", (string)rollout["reason"]!, StringComparison.Ordinal);
        await scene.StepAsync();
        Assert.Equal(0, await DoAsync("success")); // nobody of the last group was asked

        // Who has done it once does it again: it is nothing that a device has.
        await scene.PostAsync($"/api/v1/rollouts/{id}/cancel");
        id = await StartAsync("second", release, "20");
        Assert.Equal(20, await DoAsync("success"));
        await scene.StepAsync();
        Assert.Equal("finished", (string?)(await scene.GetAsync($"/api/v1/rollouts/{id}"))["state"]);

        async Task<long> StartAsync(string name, long given, params string[] groups)
        {
            var made = (long)(await scene.PostAsync("/api/v1/rollouts", new { name, release = given, groups, errorPercent = 100 }))["id"]!;
            await scene.PostAsync($"/api/v1/rollouts/{made}/start");
            return made;
        }

        async Task<int> DoAsync(string finished)
        {
            var done = 0;
            foreach (var device in devices)
            {
                if (await device.LinkAsync("deploymentBase") is null) continue;
                await device.DoAsync(finished);
                done++;
            }
            return done;
        }
    }
}
