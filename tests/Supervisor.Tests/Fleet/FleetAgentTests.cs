using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;
using Appliance.UpdateServer.Fleet;
using Core.Tests.Access;
using Supervisor.Tests.Updates;
using UpdateServer.Tests;

namespace Supervisor.Tests.Fleet;

/// <summary>A device and its fleet's server: both the real ones, over HTTP. The server wants to be asked every five minutes; what comes sooner, it said by itself.</summary>
public sealed class FleetAgentTests : IAsyncLifetime
{
    private ServerScene _server = null!;
    private FleetDevice _device = null!;
    private long _release;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        _device = new FleetDevice(_server.Address);
        _release = await ReleaseAsync(ReleaseKind.Image, "edge", "1.1");
    }

    public async ValueTask DisposeAsync()
    {
        await _device.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task AnEnrolmentToken_MakesTheDeviceAMember_WithATokenOfItsOwn()
    {
        var token = await EnrolmentTokenAsync();
        await _device.StartAsync();
        Assert.Equal(FleetState.NotJoined, _device.Agent.Status.State);

        await _device.Agent.JoinAsync(new JoinRequest { EnrolmentToken = token });
        await ConnectedAsync();

        JsonNode known = new JsonObject();
        await Eventually.IsTrueAsync(async () => (known = await _server.GetAsync($"/api/v1/devices/{_device.Id}"))["attributes"]!.AsObject().Count > 0, "what the device says of itself");
        Assert.Equal(("edge", "1.0", "vm", "edge-7", "1.0"), (Attribute("id"), Attribute("version"), Attribute("board"), Attribute("hostname"), Attribute("workload.shop")));
        var kept = await File.ReadAllTextAsync(_device.MembershipPath, Token);
        Assert.DoesNotContain(token, kept, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_device.MembershipPath));

        // It is one still after a restart, without the token that let it in.
        await _device.RestartAsync();
        await ConnectedAsync();

        string? Attribute(string key) => (string?)known["attributes"]![key];
    }

    [Fact]
    public async Task TheServersNextAuthority_IsTakenOver_AndListed()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=the next authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var next = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddYears(3));
        await using var server = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true, serverTrust: next.ExportCertificatePem());
        var token = (string)(await server.PostAsync("/api/v1/enrolment-tokens", new { name = "berlin", uses = 1 }))["value"]!;
        await _device.StartAsync();

        await _device.Agent.JoinAsync(new JoinRequest { Server = server.Address.ToString(), Trust = server.Trust(), EnrolmentToken = token });

        await Eventually.IsTrueAsync(() => Authority()?.Identity?.Contains("the next authority", StringComparison.Ordinal) == true, "the next authority");
        Assert.Equal(next.NotAfter.ToUniversalTime(), Authority()!.ExpiresAt!.Value.UtcDateTime);
        await ConnectedAsync();
        var learned = (await _device.Membership.ReadAsync(Token))!.Learned!;
        Assert.NotNull(learned.BeforeUntil); // the server shows what is among them
        await _device.RestartAsync();
        await ConnectedAsync();
        Assert.Equal(learned, (await _device.Membership.ReadAsync(Token))!.Learned);

        CredentialStatus? Authority() => _device.Desk.Known.FirstOrDefault(credential => credential.Name == CredentialNames.ServerAuthority);
    }

    [Fact]
    public async Task OverTls_TheTokenBecomesACertificate_AndTheAgentGoesOnWithIt_AndMakesTheNextWhenTold()
    {
        await using var server = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true);
        var (trust, withKey) = (server.Trust(), await File.ReadAllTextAsync(Path.Combine(server.DataFolder, "server.pem"), Token));
        var token = (string)(await server.PostAsync("/api/v1/enrolment-tokens", new { name = "berlin", uses = 1 }))["value"]!;
        await _device.StartAsync();
        await Assert.ThrowsAsync<UserError>(() => _device.Agent.JoinAsync(new JoinRequest { Server = server.Address.ToString(), Trust = withKey, EnrolmentToken = token })); // with the server's key
        await _device.Agent.JoinAsync(new JoinRequest { Server = server.Address.ToString(), Trust = trust, EnrolmentToken = token });

        await Eventually.IsTrueAsync(() => _device.Agent.Status is { State: FleetState.Connected, CertificateUntil: not null }, "the certificate");
        Assert.Null((await _device.Membership.ReadAsync(Token))!.Token);
        await _device.RestartAsync();
        await ConnectedAsync();
        Assert.NotNull(_device.Agent.Status.CertificateUntil);
        Assert.Single((await server.GetAsync($"/api/v1/devices/{_device.Id}/certificates")).AsArray());

        await server.AssignAsync(_device.Id, (long)(await server.PostAsync("/api/v1/rotations", new { credential = CredentialNames.DeviceCertificate }))["id"]!);
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        Assert.Equal(2, (await server.GetAsync($"/api/v1/devices/{_device.Id}/certificates")).AsArray().Count);
        Assert.NotNull((await _device.Membership.ReadAsync(Token))!.Previous);
        var job = _device.Desk.Rotate(CredentialNames.DeviceCertificate, "a test", isEmergency: true);
        await job.Work;
        Assert.Equal((JobState.Done, "device-certificate: changed"), (job.View.State, job.View.Message));
        Assert.Null((await _device.Membership.ReadAsync(Token))!.Previous); // nothing of the one before is kept
        Assert.Equal(3, (await server.GetAsync($"/api/v1/devices/{_device.Id}/certificates")).AsArray().Count);

        // A server that the device does not trust hears nothing of it.
        await _device.Agent.JoinAsync(new JoinRequest { Server = server.Address.ToString(), EnrolmentToken = token });
        await Eventually.IsTrueAsync(() => _device.Agent.Status is { State: FleetState.Unreachable, Trouble: not null }, "the refusal");
        Assert.Contains("certificate", _device.Agent.Status.Trouble, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task AFactorysCertificate_LetsTheDeviceIn_AndTheServersOwnTakesItsPlace()
    {
        using var factory = new SomeAuthority("factory");
        var authority = Path.Combine(_device.StateFolder, "factory.pem");
        await File.WriteAllTextAsync(authority, factory.Pem, Token);
        await using var server = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true, factory: authority);
        var trust = server.Trust();
        await _device.StartAsync();
        await Assert.ThrowsAsync<UserError>(() => _device.Agent.JoinAsync(new JoinRequest { Server = server.Address.ToString(), Trust = trust, Certificate = factory.Pem })); // without a key
        await _device.Agent.JoinAsync(new JoinRequest { Server = server.Address.ToString(), Trust = trust, Certificate = factory.Make("serial-4711") });

        await Eventually.IsTrueAsync(() => _device.Agent.Status is { State: FleetState.Connected, Device: "serial-4711" } status && status.CertificateUntil < DateTimeOffset.UtcNow.AddDays(31), "the server's own certificate");
        Assert.Single((await server.GetAsync("/api/v1/devices/serial-4711/certificates")).AsArray());
        await server.AssignAsync("serial-4711", (long)(await server.PostAsync("/api/v1/rotations", new { credential = "ssh-host-key" }))["id"]!);
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        await _device.RestartAsync();
        await Eventually.IsTrueAsync(() => _device.Agent.Status is { State: FleetState.Connected, Device: "serial-4711" }, "the connection after a restart");
    }

    [Fact]
    public async Task ATokenThatDoesNotHold_IsSaid_AndAGoodOneMendsIt()
    {
        await _device.StartAsync();
        await _device.Agent.JoinAsync(new JoinRequest { EnrolmentToken = "enrol_1_nobody" });
        await Eventually.IsTrueAsync(() => _device.Agent.Status is { State: FleetState.Refused or FleetState.Unreachable, Trouble: not null }, "the refusal");
        Assert.Contains("enrolment token does not hold", _device.Agent.Status.Trouble, StringComparison.Ordinal);

        await _device.Agent.JoinAsync(new JoinRequest { EnrolmentToken = await EnrolmentTokenAsync() });
        await ConnectedAsync();
        Assert.Null(_device.Agent.Status.Trouble);
    }

    [Fact]
    public async Task AVersion_IsInstalled_StartedAndKept_AndTheServerHearsOfIt()
    {
        await JoinAsync();
        var action = await _server.AssignAsync(_device.Id, _release, forced: true);

        await _device.BecomesAsync(AssignmentStep.Installed);
        Assert.True(_device.Engine.State.Pending!.Reboot);
        Assert.Equal(("1.1", "stable", $"{_server.Address}repository/"), (_device.Fetched.Single().Version, _device.Fetched.Single().Channel, _device.Fetched.Single().Source));
        Assert.Null(await InstalledAsync());

        await _device.RestartAsync();
        Assert.Equal(EnginePhase.Probation, _device.Engine.State.Phase);
        await ConnectedAsync();
        Assert.Equal(AssignmentStep.Installed, _device.Step);
        await _device.KeepAsync();

        await _device.BecomesAsync(AssignmentStep.Succeeded);
        await _device.ReportsAsync();
        Assert.Equal("edge 1.1", await InstalledAsync());
        var told = await ActionAsync(action);
        Assert.Equal("finished", (string?)told["state"]);
        var messages = string.Join('\n', told["messages"]!.AsArray().Select(message => (string)message!));
        Assert.Contains("Version 1.1 is in slot b and waits for the restart.", messages, StringComparison.Ordinal);
        Assert.Contains("Version 1.1 is on trial.", messages, StringComparison.Ordinal);
        Assert.Contains("Version 1.1 runs and is kept.", messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AVersionThatIsNotKept_FailsWithItsReason_AndIsTriedAgainWhenItIsAssignedAgain()
    {
        _device.World.Unhealthy.Add("1.1");
        await JoinAsync();
        var action = await _server.AssignAsync(_device.Id, _release, forced: true);
        await _device.BecomesAsync(AssignmentStep.Installed);
        await _device.RestartAsync();
        await _device.FailTrialAsync();

        await _device.BecomesAsync(AssignmentStep.Failed);
        await _device.ReportsAsync();
        var told = await ActionAsync(action);
        Assert.Equal("failed", (string?)told["state"]);
        Assert.Contains("Version 1.1 was not kept: it was not healthy: broken: does not work in 1.1", (string?)told["detail"], StringComparison.Ordinal);
        Assert.Contains("the last line", (string?)told["detail"], StringComparison.Ordinal); // of the journal

        _device.World.Unhealthy.Clear();
        await _server.AssignAsync(_device.Id, _release, forced: true);
        await _device.BecomesAsync(AssignmentStep.Installed);
        await _device.RestartAsync();
        await _device.KeepAsync();
        await _device.BecomesAsync(AssignmentStep.Succeeded);
    }

    [Fact]
    public async Task WhatRunsAlready_IsDone_AndWhatIsOlder_IsRefused()
    {
        var (running, older) = (await ReleaseAsync(ReleaseKind.Image, "edge", "1.0"), await ReleaseAsync(ReleaseKind.Image, "edge", "0.9"));
        await JoinAsync();
        await _server.AssignAsync(_device.Id, running);
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        await _device.ReportsAsync();

        var action = await _server.AssignAsync(_device.Id, older);
        await _device.BecomesAsync(AssignmentStep.Failed);
        await _device.ReportsAsync();
        Assert.Contains("no server's word takes a device back", (string?)(await ActionAsync(action))["detail"], StringComparison.Ordinal);
        Assert.Empty(_device.Fetched);
    }

    [Fact]
    public async Task WithoutForce_TheDevicesOwnSettingsSayWhenItRestarts_AndAClosedWindowThatItDoesNot()
    {
        await JoinAsync();
        await _server.AssignAsync(_device.Id, _release);
        await _device.BecomesAsync(AssignmentStep.Installed);
        Assert.Null(_device.Engine.State.Pending!.Reboot);

        var now = DateTime.UtcNow;
        var elsewhen = $"{now.AddHours(6):HH}:00-{now.AddHours(7):HH}:00";
        await _server.AssignAsync(_device.Id, _release, forced: true, window: elsewhen);
        await Eventually.IsTrueAsync(() => _device.Engine.State.Pending is { Reboot: false }, "no restart while the window is closed");

        // The window is open when the device asks again.
        await _server.Database.WriteAsync(async context =>
        {
            foreach (var row in context.Actions.Where(row => row.IsActive)) row.Window = "00:00-24:00";
            await context.SaveChangesAsync(Token);
        }, Token);
        await _device.RestartAsync(); // asks at once
        await _device.KeepAsync();
        await _device.BecomesAsync(AssignmentStep.Succeeded);
    }

    [Fact]
    public async Task WhatIsCalledOff_IsStopped_WhereverItIs_ButNotOnTrial()
    {
        await JoinAsync();
        _device.World.Pause = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = await _server.AssignAsync(_device.Id, _release);
        await _device.World.Paused.Task.WaitAsync(Token);
        await CancelAsync(first);
        await _device.BecomesAsync(AssignmentStep.Canceled);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(first))["state"] == "canceled", "the end of the first");

        _device.World.Pause = null;
        var second = await _server.AssignAsync(_device.Id, _release);
        await _device.BecomesAsync(AssignmentStep.Installed);
        await CancelAsync(second);
        await _device.BecomesAsync(AssignmentStep.Canceled);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(second))["state"] == "canceled", "the end of the second");
        Assert.Null(_device.Engine.State.Pending);
        Assert.Empty(_device.Engine.State.Failed);

        var third = await _server.AssignAsync(_device.Id, _release);
        await _device.BecomesAsync(AssignmentStep.Installed);
        await _device.RestartAsync();
        await ConnectedAsync();
        await CancelAsync(third);
        await Eventually.IsTrueAsync(async () => (await ActionAsync(third))["messages"]!.AsArray().Any(message => ((string)message!).Contains("is on trial; its verdict decides", StringComparison.Ordinal)), "the refusal");
        await _device.KeepAsync();
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(third))["state"] == "finished", "the end of the third");
    }

    [Fact]
    public async Task AnotherAssignment_TakesThePlaceOfTheOneAtHand()
    {
        var newer = await ReleaseAsync(ReleaseKind.Image, "edge", "1.2");
        await JoinAsync();
        var first = await _server.AssignAsync(_device.Id, _release);
        await _device.BecomesAsync(AssignmentStep.Installed);
        var second = await _server.AssignAsync(_device.Id, newer);
        await Eventually.IsTrueAsync(() => _device.Engine.State.Pending?.Version == "1.2", "the newer version in the slot");

        Assert.Equal("canceled", (string?)(await ActionAsync(first))["state"]);
        await _device.RestartAsync();
        await _device.KeepAsync();
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(second))["state"] == "finished", "the end of the second");
    }

    [Fact]
    public async Task WhatMayPass_IsTriedAgain_AndWhatWillNot_IsSaidAtOnce()
    {
        await JoinAsync();
        _device.World.InstallError = new UserError("root.pack cannot be fetched") { MayPass = true };
        var action = await _server.AssignAsync(_device.Id, _release);
        await Eventually.IsTrueAsync(async () => (await ActionAsync(action))["messages"]!.AsArray().Any(message => ((string)message!).Contains("Try 1 failed, the next one begins in 1 min: root.pack cannot be fetched", StringComparison.Ordinal)), "the news of the failed try");
        Assert.Equal(AssignmentStep.Accepted, _device.Step);
        Assert.Equal("running", (string?)(await ActionAsync(action))["state"]);

        // A restart does not wait for the minute to pass.
        _device.World.InstallError = new UserError("the signature is nobody's");
        await _device.RestartAsync();
        await _device.BecomesAsync(AssignmentStep.Failed);
        await _device.ReportsAsync();
        Assert.Contains("the signature is nobody's", (string?)(await ActionAsync(action))["detail"], StringComparison.Ordinal);
        Assert.Equal(2, _device.Fetched.Count);
    }

    [Fact]
    public async Task ARelease_IsApplied_AndOneThatIsTakenBack_IsSaid_AndTriedAgainWhenItIsAssignedAgain()
    {
        var (good, bad) = (await ReleaseAsync(ReleaseKind.Workload, "shop", "1.1"), await ReleaseAsync(ReleaseKind.Workload, "shop", "1.2"));
        _device.BrokenReleases.Add("1.2");
        await JoinAsync();
        await _server.AssignAsync(_device.Id, good);
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        await _device.ReportsAsync();
        Assert.Equal("shop 1.1", await InstalledAsync());

        var action = await _server.AssignAsync(_device.Id, bad);
        await _device.BecomesAsync(AssignmentStep.Failed);
        await _device.ReportsAsync();
        Assert.Contains("Version 1.2 of shop was not kept: Deployment shop/web: it crashes", (string?)(await ActionAsync(action))["detail"], StringComparison.Ordinal);

        _device.BrokenReleases.Clear();
        await _server.AssignAsync(_device.Id, bad);
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        Assert.Equal([false, false, true], _device.Fetched.Select(request => request.Force));
        await Eventually.IsTrueAsync(async () => (string?)(await _server.GetAsync($"/api/v1/devices/{_device.Id}"))["attributes"]!["workload.shop"] == "1.2", "what the device says of itself");
    }

    [Fact]
    public async Task FilesOfAnotherServer_AreBundles_OrRefused()
    {
        var (bundle, other) = (await UploadAsync("edge", "1.1", "edge_1.1.bundle"), await UploadAsync("till", "3", "till.swu"));
        await JoinAsync();
        await _server.AssignAsync(_device.Id, bundle);
        await _device.BecomesAsync(AssignmentStep.Installed);
        var fetched = _device.World.Requests.First(request => request.Verb == WorkerVerb.Check);
        Assert.Null(fetched.Version); // a bundle says itself what is in it
        Assert.StartsWith($"{_server.Address}default/controller/v1/{_device.Id}/softwaremodules/", fetched.Source, StringComparison.Ordinal);
        Assert.EndsWith("/edge_1.1.bundle", fetched.Source, StringComparison.Ordinal);

        var action = await _server.AssignAsync(_device.Id, other);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(action))["state"] == "failed", "the refusal");
        Assert.Contains("has no single *.bundle among its files", (string?)(await ActionAsync(action))["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABundleWhoseVersionWasNotKept_IsTriedAgain_WhenItIsAssignedAgain()
    {
        var bundle = await UploadAsync("anything", "2026", "edge_1.1.bundle");
        _device.World.Unhealthy.Add("1.1");
        await JoinAsync();
        await _server.AssignAsync(_device.Id, bundle, forced: true);
        await _device.BecomesAsync(AssignmentStep.Installed);
        await _device.RestartAsync();
        await _device.FailTrialAsync();
        await _device.BecomesAsync(AssignmentStep.Failed);
        await _device.ReportsAsync();

        _device.World.Unhealthy.Clear();
        await _server.AssignAsync(_device.Id, bundle, forced: true);
        await _device.BecomesAsync(AssignmentStep.Installed);
        await _device.RestartAsync();
        await _device.KeepAsync();
        await _device.BecomesAsync(AssignmentStep.Succeeded);
    }

    [Fact]
    public async Task ACredential_IsChangedWhenTheServerSaysSo_AndTheServerIsToldOfIt()
    {
        await JoinAsync();
        var rotation = await _server.PostAsync("/api/v1/rotations", new { credential = "ssh-host-key" });
        await _server.AssignAsync(_device.Id, (long)rotation["id"]!);
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        await _device.ReportsAsync();
        Assert.Equal(["ssh-host-key"], _device.Rotated);
        await Eventually.IsTrueAsync(async () => (string?)(await _server.GetAsync($"/api/v1/devices/{_device.Id}"))["attributes"]!["credential.ssh-host-key.rotated"] is not null, "what the server is told");
        Assert.Null(await InstalledAsync()); // it is no software

        // One that cannot be changed, and one that is not here.
        _device.RotationTrouble = "sshd does not start with it";
        var failing = await _server.AssignAsync(_device.Id, (long)rotation["id"]!);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(failing))["state"] == "failed", "the failure");
        Assert.Contains("sshd does not start with it", (string?)(await ActionAsync(failing))["detail"], StringComparison.Ordinal);
        var strange = await _server.AssignAsync(_device.Id, (long)(await _server.PostAsync("/api/v1/rotations", new { credential = "wireguard" }))["id"]!);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(strange))["state"] == "failed", "the refusal");
        Assert.Contains("There is no credential wireguard here", (string?)(await ActionAsync(strange))["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatNeedsAWordFromTheDevice_WaitsForIt()
    {
        await JoinAsync();
        await _server.AssignAsync(_device.Id, _release, confirm: true);
        await Eventually.IsTrueAsync(() => _device.Agent.Status.Unconfirmed is { Name: "edge", Version: "1.1" }, "the question");
        Assert.Null(_device.Work.Current);

        await _device.Agent.ConfirmAsync(false, "the till is in use", Token);
        Assert.Null(_device.Work.Current);
        await _device.Agent.ConfirmAsync(true, null, Token);
        await _device.BecomesAsync(AssignmentStep.Installed);
        await Eventually.IsTrueAsync(() => _device.Agent.Status.Unconfirmed is null, "the end of the question");
        await Assert.ThrowsAsync<UserError>(() => _device.Agent.ConfirmAsync(true, null, Token));
    }

    [Fact]
    public async Task LeavingTheFleet_ForgetsTheToken_AndWhatWasAssigned()
    {
        await JoinAsync();
        await _server.AssignAsync(_device.Id, _release);
        await _device.BecomesAsync(AssignmentStep.Installed);
        await _device.Agent.LeaveAsync();

        Assert.Equal(FleetState.NotJoined, _device.Agent.Status.State);
        Assert.False(File.Exists(_device.MembershipPath));
        Assert.Null(_device.Work.Current);
        await Assert.ThrowsAsync<UserError>(_device.Agent.LeaveAsync);
    }

    [Fact]
    public async Task ADeviceThatWasTakenOut_IsRefused()
    {
        await JoinAsync();
        using var answer = await _server.Admin.DeleteAsync($"/api/v1/devices/{_device.Id}", Token);
        Assert.True(answer.IsSuccessStatusCode);
        await _device.RestartAsync();
        await Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Refused, "the refusal");
        Assert.Contains("401", _device.Agent.Status.Trouble, StringComparison.Ordinal);

        // An administrator may think better of it.
        var token = (string)(await _server.PostAsync($"/api/v1/devices/{_device.Id}/token", new { }))["token"]!;
        await _device.Agent.JoinAsync(new JoinRequest { Token = token });
        await ConnectedAsync();
    }

    [Fact]
    public async Task HealthAndJournal_ComeToTheServer_AndWaitWhileItIsAway()
    {
        using var health = new HealthMonitor(new(), [], TimeProvider.System);
        await JoinAsync();
        using var journal = new Appliance.Supervisor.Journal.JournalReader(_device.StateFolder);
        using var reports = new FleetReports(_device.Agent, new() { Log = -1 }, health, journal, _device.StateFolder, TimeProvider.System);
        await reports.StartAsync(Token);
        reports.Add(new(DateTimeOffset.UtcNow, 3, "web", "web", "cannot reach the till\u001b[2J" + new string('x', 5000)));
        reports.Flush();

        await Eventually.IsTrueAsync(async () => (await _server.GetAsync($"/api/v1/devices/{_device.Id}/log")).ToJsonString().Contains("cannot reach the till", StringComparison.Ordinal), "the line");
        Assert.Equal(DeviceView.Word(health.Report.State), (string?)(await _server.GetAsync($"/api/v1/devices/{_device.Id}"))["health"]);
        await Eventually.IsTrueAsync(() => Directory.GetFiles(Path.Combine(_device.StateFolder, "fleet-reports")).Length == 0, "the server's answer"); // it has the line before the device knows
        await reports.StopAsync(CancellationToken.None);

        // While the device is no member of the fleet, what it has to say waits.
        await _device.Agent.LeaveAsync();
        using var later = new FleetReports(_device.Agent, new() { Log = -1 }, health, journal, _device.StateFolder, TimeProvider.System);
        later.Add(new(DateTimeOffset.UtcNow, 3, "web", "web", "said while nobody listened"));
        later.Flush();
        Assert.Single(Directory.GetFiles(Path.Combine(_device.StateFolder, "fleet-reports")));
    }

    private async Task JoinAsync()
    {
        await _device.StartAsync();
        await _device.Agent.JoinAsync(new JoinRequest { GatewayToken = ServerScene.GatewayToken });
        await ConnectedAsync();
    }

    private Task ConnectedAsync() => Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Connected, $"the connection");

    private async Task<string> EnrolmentTokenAsync() => (string)(await _server.PostAsync("/api/v1/enrolment-tokens", new { name = "berlin", uses = 5 }))["value"]!;

    private async Task<string?> InstalledAsync() => (string?)(await _server.GetAsync($"/api/v1/devices/{_device.Id}"))["installed"];

    private async Task<JsonNode> ActionAsync(long action) => (await _server.GetAsync($"/api/v1/devices/{_device.Id}/actions")).AsArray().Single(row => (long)row!["id"]! == action)!;

    private async Task CancelAsync(long action)
    {
        using var answer = await _server.Admin.DeleteAsync($"/api/v1/devices/{_device.Id}/actions/{action}", Token);
        Assert.True(answer.IsSuccessStatusCode);
    }

    private async Task<long> UploadAsync(string name, string version, string file)
    {
        using var answer = await _server.Admin.PutAsync($"/api/v1/releases/{name}/{version}/files/{file}", new ByteArrayContent([1, 2, 3]), Token);
        return (long)(await ServerScene.ReadAsync(answer))["id"]!;
    }

    /// <summary>A release as the server finds it in its repository.</summary>
    private Task<long> ReleaseAsync(ReleaseKind kind, string name, string version) => _server.Database.WriteAsync(async context =>
    {
        var row = new Release { Kind = kind, Name = name, Version = version, Channel = "stable", CreatedAt = DateTimeOffset.UtcNow };
        context.Releases.Add(row);
        await context.SaveChangesAsync(Token);
        return row.Id;
    }, Token);
}
