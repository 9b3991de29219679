using System.Text.Json.Nodes;
using Appliance.Core.Access;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Control;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Web;
using Core.Tests.Access;
using Supervisor.Tests.Journal;
using Supervisor.Tests.Web;
using Supervisor.Tests.Worker;

namespace Supervisor.Tests.Control;

/// <summary>appliancectl --host against the daemon's HTTPS surface, with the real engine and worker behind it.</summary>
[Collection(nameof(TheProcess))]
public sealed class RemoteControlTests : IAsyncLifetime
{
    private readonly SomeAuthority _authority = new();
    private readonly JournalFolder _journal = new JournalFolder()
        .With(JournalFolder.FirstBoot, 6, "shop", "opened")
        .With(JournalFolder.ThisBoot, 3, "till", "no \e[2Jpaper")
        .Write();
    private WorkerScene _worker = null!;
    private DaemonScene _scene = null!;
    private Browser _browser = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Host => $"127.0.0.1:{_scene.Http.BaseAddress!.Port}";

    private string Fingerprint => PemCertificate.Fingerprint(_scene.Service<PageCertificate>().Current);

    private string KnownFile => Path.Combine(_scene.File("config"), "appliance", "devices.json");

    public async ValueTask InitializeAsync()
    {
        _worker = new WorkerScene();
        _scene = await DaemonScene.PrepareAsync();
        _scene.WorkerSocket = _worker.SocketPath;
        _scene.JournalFolder = _journal.Path;
        _scene.Device.Write(ClientAuthority.FilePath.TrimStart('/'), _authority.Pem);
        Environment.SetEnvironmentVariable("XDG_CONFIG_HOME", _scene.File("config"));
        await _scene.StartWithSlotsAsync();
        _browser = new Browser(_scene.Http.BaseAddress!);
        await _browser.OwnAsync(_scene.Service<OwnerAccess>().SetupCode!);
        await File.WriteAllTextAsync(_scene.File("password"), Browser.Password + "\n", Token);
    }

    public async ValueTask DisposeAsync()
    {
        Environment.SetEnvironmentVariable("XDG_CONFIG_HOME", null);
        _browser.Dispose();
        await _scene.DisposeAsync();
        await _worker.DisposeAsync();
        _authority.Dispose();
        _journal.Dispose();
    }

    [Fact]
    public async Task LoggedIn_TheCommandsSayWhatTheySayOnTheDevice()
    {
        await LogInAsync();
        await _scene.HealthBecomesAsync("healthy");
        Environment.SetEnvironmentVariable("APPLIANCE_BUS", _scene.BusAddress);
        Environment.SetEnvironmentVariable("APPLIANCE_JOURNAL", _journal.Path);
        try
        {
            foreach (var command in new string[][] { ["status"], ["health"], ["history"], ["findings"], ["logs"], ["logs", "--boot", "all", "--unit", "shop.service", "--text", "OPEN"] })
            {
                Assert.Equal(await ControlProgram.RunAsync(command), await RunAsync(command));
                Assert.Equal(Steady((await ControlProgram.RunAsync([.. command, "--json"])).Output), Steady((await RunAsync([.. command, "--json"])).Output));
            }
        }
        finally
        {
            Environment.SetEnvironmentVariable("APPLIANCE_BUS", null);
            Environment.SetEnvironmentVariable("APPLIANCE_JOURNAL", null);
        }
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KnownFile));
        Assert.DoesNotContain(Browser.Password, await File.ReadAllTextAsync(KnownFile, Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABundleOnThisComputer_IsSent()
    {
        await LogInAsync();
        var bundle = await _worker.ExportAsync();

        var install = await RunAsync("install", bundle, "--reboot", "false");

        Assert.Equal((0, "version 1.1 is in slot b and waits for the restart\n"), (install.Code, install.Output));
        Assert.Contains("version 1.1 is installed and waits for the restart", (await RunAsync("status")).Output, StringComparison.Ordinal);
        Assert.StartsWith("by the owner from 127.0.0.1; ", (string?)JsonNode.Parse((await RunAsync("status", "--json")).Output)!["history"]![0]!["detail"], StringComparison.Ordinal);
        // The same again is a job that fails, and says why.
        await File.WriteAllTextAsync(_scene.File("no.bundle"), "hello", Token);
        var refused = await RunAsync("install", _scene.File("no.bundle"));
        Assert.Equal(1, refused.Code);
        Assert.StartsWith("error: ", refused.Error, StringComparison.Ordinal);
    }

    /// <summary>As Ctrl-C does, while the sender has more to say.</summary>
    [Fact]
    public async Task ABundleThatIsBeingSent_CanBeStopped()
    {
        await LogInAsync();
        var whole = await File.ReadAllBytesAsync(await _worker.ExportAsync(), Token);
        var pipe = _scene.File("pipe");
        using (var made = System.Diagnostics.Process.Start("mkfifo", [pipe])!) await made.WaitForExitAsync(Token);
        // Both ways, so that opening waits for nobody.
        await using var writer = new FileStream(pipe, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        var writing = Task.Run(() => writer.Write(whole.AsSpan(0, whole.Length / 2)), Token);
        using var stop = new CancellationTokenSource();
        await using var supervisor = new RemoteSupervisor(new KnownDevices().Connect(DeviceAddress.Parse(Host)));

        var running = supervisor.RunJobAsync(new JobOrder { Method = "Install", Source = pipe }, _ => { }, stop.Token);
        await writing;
        await Eventually.IsTrueAsync(() => _scene.Service<UpdateEngine>().Job is { View.State: JobState.Running }, "the job");
        await stop.CancelAsync();

        Assert.Equal("cancelled", (string?)(await running.WaitAsync(TimeSpan.FromMinutes(1), Token))["state"]);
    }

    [Fact]
    public async Task WhatTheDeviceFetches_IsFollowed_AndWhatItRefuses_IsSaid()
    {
        await LogInAsync();
        await _worker.PublishAsync();
        var repository = new Uri(_worker.Publisher.Repository).AbsoluteUri;

        Assert.StartsWith("version 1.1 can be installed; ", (await RunAsync("check", "--source", repository)).Output, StringComparison.Ordinal);
        var job = JsonNode.Parse((await RunAsync("install", repository, "--reboot", "false", "--json")).Output)!;

        Assert.Equal(("done", "1.1"), ((string?)job["state"], (string?)job["version"]));
        Assert.True((ulong)job["startedAt"]! > 0);
        Assert.Equal((0, "", ""), await RunAsync("mark-bad", "b"));
        Assert.Equal((0, "", ""), await RunAsync("clear-failed", "1.1"));
        Assert.Equal((2, "", "error: Version 1.1 is not among those that failed.\n  appliancectl status lists them.\n"), await RunAsync("clear-failed", "1.1"));
        Assert.Equal(1, (await RunAsync("install", "file:///nowhere")).Code);
        Assert.Equal(2, (await RunAsync("check", "--source", "/srv/updates")).Code);
        Assert.Equal(2, (await RunAsync("install", _worker.Publisher.Repository)).Code);
        Assert.Equal(2, (await RunAsync("setup-code")).Code);
    }

    [Fact]
    public async Task TheJournal_IsChosenFrom_AndNoTerminalObeysIt()
    {
        await LogInAsync();

        Assert.EndsWith(" till: no ?[2Jpaper\n", (await RunAsync("logs")).Output, StringComparison.Ordinal);
        Assert.Equal("", (await RunAsync("logs", "--priority", "2")).Output);
        Assert.Contains(" shop: opened\n", (await RunAsync("logs", "--boot", "all", "--lines", "5")).Output, StringComparison.Ordinal);
        Assert.Single(JsonNode.Parse((await RunAsync("logs", "--text", "paper", "--json")).Output)!.AsArray());
        Assert.Equal((2, "", "error: \"not a unit\" is no name of a unit.\n  Example: k3s.service\n"), await RunAsync("logs", "--unit", "not a unit"));
    }

    [Fact]
    public async Task ASupportBundle_ComesToThisComputer()
    {
        await LogInAsync();

        Assert.Equal(0, (await RunAsync("support-bundle", _scene.File("support.tar.gz"))).Code);

        Assert.Equal([0x1f, 0x8b], (await File.ReadAllBytesAsync(_scene.File("support.tar.gz"), Token))[..2]); // RFC 1952, 2.3.1
    }

    [Fact]
    public async Task WithACertificate_NobodyIsAskedForAPassword()
    {
        await File.WriteAllTextAsync(_scene.File("ada.pem"), _authority.Make("ada"), Token);

        Assert.Equal(0, (await RunAsync("login", "--fingerprint", Fingerprint, "--certificate", _scene.File("ada.pem"))).Code);

        Assert.Equal(0, (await RunAsync("status")).Code);
    }

    [Fact]
    public async Task ADevice_IsKnownByItsCertificate()
    {
        // Not a terminal: nobody is asked, and nothing is trusted.
        var unknown = await RunAsync("login", "--password-file", _scene.File("password"));
        Assert.Equal(2, unknown.Code);
        Assert.Contains($"its SHA-256 fingerprint is {Fingerprint}", unknown.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(KnownFile));

        await LogInAsync();
        await _scene.StopAsync();
        File.Delete(_scene.File("page.pem"));
        await _scene.StartAsync();

        var other = await RunAsync("status");
        Assert.Equal(2, other.Code);
        Assert.StartsWith($"error: {Host} shows another certificate than the known one: its SHA-256 fingerprint is {Fingerprint} and not ", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LoggedOut_NothingIsLeft_HereOrThere()
    {
        await LogInAsync();
        var token = (string)JsonNode.Parse(await File.ReadAllTextAsync(KnownFile, Token))![Host]!["token"]!;
        Assert.NotNull(_scene.Service<OwnerAccess>().Find(token));

        Assert.Equal((0, "", ""), await RunAsync("logout"));

        Assert.Null(_scene.Service<OwnerAccess>().Find(token));
        Assert.DoesNotContain(token, await File.ReadAllTextAsync(KnownFile, Token), StringComparison.Ordinal);
        Assert.Equal((2, "", $"error: You are not logged in at {Host}.\n  appliancectl --host {Host} login\n"), await RunAsync("status"));
    }

    [Fact]
    public async Task ALogInThatTheDeviceForgot_IsSaid()
    {
        await LogInAsync();
        _scene.Service<OwnerAccess>().Reset();

        Assert.Equal((2, "", $"error: You are not logged in at {Host} any more.\n  appliancectl --host {Host} login\n"), await RunAsync("status"));
    }

    [Theory]
    [InlineData("somewhere/else", "is no name or address of a device.")]
    [InlineData("127.0.0.1:1", "cannot be reached: ")]
    public async Task WhatIsNoDevice_IsSaid(string host, string message)
    {
        var (code, _, error) = await ControlProgram.RunAsync("--host", host, "login", "--fingerprint", new string('a', 64), "--password-file", _scene.File("password"));

        Assert.Equal(2, code);
        Assert.Contains(message, error, StringComparison.Ordinal);
    }

    private async Task LogInAsync() => Assert.Equal(0, (await RunAsync("login", "--fingerprint", Fingerprint, "--password-file", _scene.File("password"))).Code);

    private Task<(int Code, string Output, string Error)> RunAsync(params string[] args) => ControlProgram.RunAsync(["--host", Host, .. args]);

    /// <summary>Without what time alone changes.</summary>
    private static string Steady(string json) => System.Text.RegularExpressions.Regex.Replace(json, "\"uptime\": [0-9]+", "");
}
