using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Appliance.UpdateServer.Serve;

namespace UpdateServer.Tests.Ddi;

/// <summary>What a device sees, as hawkBit's clients expect it.</summary>
public sealed class DdiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static readonly byte[] File = Encoding.ASCII.GetBytes("hello world, this is an update");

    [Theory, EveryDatabase]
    public async Task ADeployment_FromThePollToTheEnd(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        var device = scene.Device("edge-1");
        Assert.Equal("00:05:00", (string?)(await device.PollAsync())["config"]!["polling"]!["sleep"]);
        Assert.NotNull(await device.LinkAsync("configData"));
        Assert.Equal(HttpStatusCode.OK, await device.DescribeAsync(new { board = "vm", version = "1.0" }));
        Assert.Null(await device.LinkAsync("configData"));
        Assert.Null(await device.LinkAsync("deploymentBase"));
        var release = await scene.UploadAsync("app", "1.1", File);

        var action = await scene.AssignAsync("edge-1", release, forced: true);
        var deployment = await device.GetAsync((await device.LinkAsync("deploymentBase"))!);

        Assert.Equal($"{action}", (string?)deployment["id"]);
        Assert.Equal(("forced", "forced"), ((string?)deployment["deployment"]!["download"], (string?)deployment["deployment"]!["update"]));
        var chunk = deployment["deployment"]!["chunks"]![0]!;
        Assert.Equal(("os", "app", "1.1"), ((string?)chunk["part"], (string?)chunk["name"], (string?)chunk["version"]));
        var artifact = chunk["artifacts"]![0]!;
        Assert.Equal(("app.swu", File.Length), ((string?)artifact["filename"], (int)artifact["size"]!));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File)), (string?)artifact["hashes"]!["sha256"]);
        using var download = await device.DownloadAsync((string)artifact["_links"]!["download-http"]!["href"]!);
        Assert.Equal(File, await download.Content.ReadAsByteArrayAsync(Token));
        Assert.Equal($"\"{artifact["hashes"]!["sha1"]}\"", download.Headers.ETag!.Tag);
        using var sum = await device.DownloadAsync((string)artifact["_links"]!["md5sum-http"]!["href"]!);
        Assert.Equal($"{artifact["hashes"]!["md5"]}  app.swu", await sum.Content.ReadAsStringAsync(Token));

        Assert.Equal(HttpStatusCode.OK, await device.ReportAsync("deploymentBase", action, "proceeding", "none", "writing"));
        Assert.Equal(HttpStatusCode.OK, await device.ReportAsync("deploymentBase", action, "closed", "success"));
        Assert.Null(await device.LinkAsync("deploymentBase"));
        Assert.EndsWith($"/installedBase/{action}", await device.LinkAsync("installedBase"), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Gone, await device.ReportAsync("deploymentBase", action, "closed", "success"));
        Assert.Equal(HttpStatusCode.Gone, await device.StatusAsync($"/default/controller/v1/edge-1/deploymentBase/{action}"));
        Assert.Equal("app 1.1", (string?)(await scene.GetAsync("/api/v1/devices/edge-1"))["installed"]);
        var told = (await scene.GetAsync("/api/v1/devices/edge-1/actions"))[0]!;
        Assert.Equal("finished", (string?)told["state"]);
        Assert.Contains(told["messages"]!.AsArray(), message => ((string)message!).EndsWith("proceeding writing", StringComparison.Ordinal));
    }

    [Theory, EveryDatabase]
    public async Task WhatWasNotFetched_IsCalledOffAtOnce_AndTheRestIsAskedToStop(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        var device = scene.Device("edge-1");
        await device.PollAsync();
        var release = await scene.UploadAsync("app", "1.1", File);
        var first = await scene.AssignAsync("edge-1", release);
        using (var _ = await scene.Admin.DeleteAsync($"/api/v1/devices/edge-1/actions/{first}", Token)) Assert.Null(await device.LinkAsync("deploymentBase"));

        var second = await scene.AssignAsync("edge-1", release);
        await device.GetAsync((await device.LinkAsync("deploymentBase"))!);
        using (var _ = await scene.Admin.DeleteAsync($"/api/v1/devices/edge-1/actions/{second}", Token)) Assert.Null(await device.LinkAsync("deploymentBase"));
        var cancel = await device.GetAsync((await device.LinkAsync("cancelAction"))!);
        Assert.Equal($"{second}", (string?)cancel["cancelAction"]!["stopId"]);

        // It goes on, is asked again, and stops.
        Assert.Equal(HttpStatusCode.OK, await device.ReportAsync("cancelAction", second, "rejected", "none", "too late"));
        Assert.NotNull(await device.LinkAsync("deploymentBase"));
        using (var _ = await scene.Admin.DeleteAsync($"/api/v1/devices/edge-1/actions/{second}", Token)) Assert.NotNull(await device.LinkAsync("cancelAction"));
        Assert.Equal(HttpStatusCode.OK, await device.ReportAsync("cancelAction", second, "closed", "success"));
        Assert.Null(await device.LinkAsync("cancelAction"));
        Assert.Equal(["canceled", "canceled"], (await scene.GetAsync("/api/v1/devices/edge-1/actions")).AsArray().Select(action => (string?)action!["state"]));
    }

    [Fact]
    public async Task ANewRelease_WaitsUntilTheOldOneIsStopped()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");
        await device.PollAsync();
        var first = await scene.AssignAsync("edge-1", await scene.UploadAsync("app", "1.1", File));
        await device.GetAsync((await device.LinkAsync("deploymentBase"))!);

        var second = await scene.AssignAsync("edge-1", await scene.UploadAsync("app", "1.2", File));

        Assert.NotNull(await device.LinkAsync("cancelAction"));
        Assert.Null(await device.LinkAsync("deploymentBase"));
        Assert.Equal(HttpStatusCode.OK, await device.ReportAsync("cancelAction", first, "closed", "success"));
        Assert.Contains($"/deploymentBase/{second}", await device.LinkAsync("deploymentBase"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AConfirmation_IsAskedForFirst_OrGivenForGood()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");
        await device.PollAsync();
        var release = await scene.UploadAsync("app", "1.1", File);
        var action = await scene.AssignAsync("edge-1", release, confirm: true);

        Assert.Null(await device.LinkAsync("deploymentBase"));
        Assert.Equal(HttpStatusCode.NotFound, await device.StatusAsync($"/default/controller/v1/edge-1/deploymentBase/{action}"));
        Assert.NotNull((await device.GetAsync((await device.LinkAsync("confirmationBase"))!))["confirmation"]!["chunks"]);
        Assert.Equal(HttpStatusCode.OK, await device.ConfirmAsync(action, "denied"));
        Assert.NotNull(await device.LinkAsync("confirmationBase"));
        Assert.Equal(HttpStatusCode.OK, await device.ConfirmAsync(action, "confirmed"));
        await device.DoAsync("success");

        using var on = await scene.Device("edge-1").PostAsync("confirmationBase/activateAutoConfirm");
        await scene.AssignAsync("edge-1", await scene.UploadAsync("app", "1.2", File), confirm: true);
        Assert.NotNull(await device.LinkAsync("deploymentBase"));
    }

    [Fact]
    public async Task OutsideItsWindow_ADeviceFetchesButDoesNotInstall()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");
        await device.PollAsync();
        var day = DateTime.UtcNow.AddDays(3).DayOfWeek.ToString()[..3];
        await scene.AssignAsync("edge-1", await scene.UploadAsync("app", "1.1", File), forced: true, window: $"{day} 01:00-02:00");

        var deployment = (await device.GetAsync((await device.LinkAsync("deploymentBase"))!))["deployment"]!;

        Assert.Equal(("forced", "skip", "unavailable"), ((string?)deployment["download"], (string?)deployment["update"], (string?)deployment["maintenanceWindow"]));
    }

    [Fact]
    public async Task Attributes_AreMergedReplacedRemoved_AndLabelsAreNotTheDevices()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");
        await device.DescribeAsync(new { board = "vm", version = "1.0" });
        using (var _ = await scene.Admin.PutAsync("/api/v1/devices/edge-1/labels/site", new StringContent("""{"value":"berlin"}""", MediaTypeHeaderValue.Parse("application/json")), Token)) { }

        async Task<string> AttributesAsync() => (await scene.GetAsync("/api/v1/devices/edge-1"))["attributes"]!.ToJsonString();

        Assert.Equal("""{"board":"vm","label.site":"berlin","version":"1.0"}""", await AttributesAsync());
        await device.DescribeAsync(new { version = "1.1", serial = "7" }, "merge");
        Assert.Equal("""{"board":"vm","label.site":"berlin","serial":"7","version":"1.1"}""", await AttributesAsync());
        await device.DescribeAsync(new { version = "1.2" }, "replace");
        Assert.Equal("""{"label.site":"berlin","version":"1.2"}""", await AttributesAsync());
        await device.DescribeAsync(new { version = "" }, "remove");
        Assert.Equal("""{"label.site":"berlin"}""", await AttributesAsync());
        Assert.Equal(HttpStatusCode.BadRequest, await device.DescribeAsync(new Dictionary<string, string> { ["label.site"] = "paris" }));
        Assert.Equal(HttpStatusCode.BadRequest, await device.DescribeAsync(new { version = "1" }, "change"));
    }

    [Fact]
    public async Task WhoDoesNotProveWhoItIs_IsRefused()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var token = (string)(await scene.PostAsync("/api/v1/devices", new { id = "edge-1" }))["token"]!;
        await scene.PostAsync("/api/v1/devices", new { id = "edge-2" });

        Assert.Equal(HttpStatusCode.OK, await new DdiDevice(scene.Client("TargetToken", token), "edge-1").StatusAsync("/default/controller/v1/edge-1"));
        Assert.Equal(HttpStatusCode.Unauthorized, await new DdiDevice(scene.Client("TargetToken", token), "edge-2").StatusAsync("/default/controller/v1/edge-2"));
        Assert.Equal(HttpStatusCode.Unauthorized, await new DdiDevice(scene.Client("GatewayToken", "guessed"), "edge-1").StatusAsync("/default/controller/v1/edge-1"));
        Assert.Equal(HttpStatusCode.Unauthorized, await new DdiDevice(scene.Client("TargetToken", token), "edge-9").StatusAsync("/default/controller/v1/edge-9"));
        Assert.Equal(HttpStatusCode.NotFound, await new DdiDevice(scene.Client("TargetToken", token), "edge-1").StatusAsync("/other/controller/v1/edge-1"));
        // A header that only a proxy may send.
        using var spoofed = new HttpClient { BaseAddress = scene.Address, DefaultRequestHeaders = { { "X-Ssl-Client-Cn", "edge-1" } } };
        Assert.Equal(HttpStatusCode.Unauthorized, await new DdiDevice(spoofed, "edge-1").StatusAsync("/default/controller/v1/edge-1"));

        var renewed = (string)(await scene.PostAsync("/api/v1/devices/edge-1/token"))["token"]!;
        Assert.Equal(HttpStatusCode.Unauthorized, await new DdiDevice(scene.Client("TargetToken", token), "edge-1").StatusAsync("/default/controller/v1/edge-1"));
        Assert.Equal(HttpStatusCode.OK, await new DdiDevice(scene.Client("TargetToken", renewed), "edge-1").StatusAsync("/default/controller/v1/edge-1"));
        using (var _ = await scene.Admin.DeleteAsync("/api/v1/devices/edge-1", Token)) { }
        Assert.Equal(HttpStatusCode.Unauthorized, await new DdiDevice(scene.Client("TargetToken", renewed), "edge-1").StatusAsync("/default/controller/v1/edge-1"));
        Assert.Equal(HttpStatusCode.Unauthorized, await scene.Device("edge-1").StatusAsync("/default/controller/v1/edge-1"));
    }

    [Fact]
    public async Task ADevice_SeesOnlyWhatItWasGiven()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var (one, two) = (scene.Device("edge-1"), scene.Device("edge-2"));
        await one.PollAsync();
        await two.PollAsync();
        var release = await scene.UploadAsync("app", "1.1", File);
        var action = await scene.AssignAsync("edge-1", release);

        Assert.Equal(HttpStatusCode.NotFound, await two.StatusAsync($"/default/controller/v1/edge-2/deploymentBase/{action}"));
        Assert.Equal(HttpStatusCode.NotFound, await two.StatusAsync($"/default/controller/v1/edge-2/softwaremodules/{release}/artifacts/app.swu"));
        Assert.Equal(HttpStatusCode.OK, await one.StatusAsync($"/default/controller/v1/edge-1/softwaremodules/{release}/artifacts/app.swu"));
        Assert.Equal(HttpStatusCode.NotFound, await two.ReportAsync("deploymentBase", action, "closed", "success"));
    }

    [Theory, EveryDatabase]
    public async Task WhatMakesNoSense_IsSaid(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind);
        var device = scene.Device("edge-1");
        await device.PollAsync();
        var action = await scene.AssignAsync("edge-1", await scene.UploadAsync("app", "1.1", File));

        Assert.Equal(HttpStatusCode.BadRequest, await device.ReportAsync("deploymentBase", action, "exploded"));
        Assert.Equal(HttpStatusCode.BadRequest, await device.ConfirmAsync(action, "perhaps"));
        Assert.Equal(HttpStatusCode.NotFound, await device.ReportAsync("deploymentBase", 4711, "closed"));
        Assert.Equal(HttpStatusCode.BadRequest, await device.DescribeAsync(new { serial = "7\08" }));
        Assert.Equal(HttpStatusCode.BadRequest, await device.DescribeAsync(new { serial = new string('7', 300) }));
        Assert.Equal(HttpStatusCode.OK, await device.ReportAsync("deploymentBase", action, "proceeding", "none", "half\0done", new string('x', 10_000)));
        using var broken = await device.PostAsync($"deploymentBase/{action}/feedback", "{");
        Assert.Equal(HttpStatusCode.BadRequest, broken.StatusCode);
        Assert.Contains("hawkbit.server.error.rest.body.notReadable", await broken.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OfManyMessages_TheOldestGo()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var device = scene.Device("edge-1");
        await device.PollAsync();
        var action = await scene.AssignAsync("edge-1", await scene.UploadAsync("app", "1.1", File));
        for (var i = 0; i < 120; i++) await device.ReportAsync("deploymentBase", action, "proceeding", "none", $"step {i}");

        var messages = (await scene.GetAsync("/api/v1/devices/edge-1/actions"))[0]!["messages"]!.AsArray().Select(message => (string)message!).ToList();

        Assert.InRange(messages.Count, 90, 100);
        Assert.EndsWith("step 119", messages[^1], StringComparison.Ordinal);
        Assert.DoesNotContain(messages, message => message.EndsWith("step 3", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WhoGuesses_IsHeldUp_AndADeviceBehindTheSameAddressIsNot()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var guessing = new DdiDevice(scene.Client("TargetToken", "guessed"), "edge-1");
        await scene.Device("edge-1").PollAsync();

        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i <= RateLimits.PerMinute; i++) statuses.Add(await guessing.StatusAsync("/default/controller/v1/edge-1"));

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.TooManyRequests), (statuses[0], statuses[^1]));
        Assert.Equal(HttpStatusCode.OK, await scene.Device("edge-1").StatusAsync("/default/controller/v1/edge-1"));
        Assert.Equal(HttpStatusCode.TooManyRequests, (await scene.Client("Bearer", "apk_1_guessed").GetAsync("/api/v1/devices", Token)).StatusCode);
    }
}
