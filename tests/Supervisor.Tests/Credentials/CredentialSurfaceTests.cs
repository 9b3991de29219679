using System.Text.Json.Nodes;
using Appliance.Core.Access;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Web;
using Supervisor.Tests.Control;
using Supervisor.Tests.Web;
using Supervisor.Tests.Worker;

namespace Supervisor.Tests.Credentials;

/// <summary>Credentials as people see and change them: the whole daemon over TLS and the bus, and the real worker behind it.</summary>
[Collection(nameof(TheProcess))]
public sealed class CredentialSurfaceTests : IAsyncLifetime
{
    private readonly WorkerScene _worker = new();
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync()
    {
        _worker.Write("usr/lib/appliance/credentials.json", """{ "files": [{ "name": "vpn", "path": "/var/lib/vpn.key", "reload": "vpn.service" }] }""");
        _worker.Units.SetActive("vpn.service");
        _scene = await DaemonScene.PrepareAsync();
        _worker.BusAddress = _scene.BusAddress;
        _scene.WorkerSocket = _worker.SocketPath;
        Environment.SetEnvironmentVariable("XDG_CONFIG_HOME", _scene.File("config"));
        await _scene.StartWithSlotsAsync();
        await Eventually.IsTrueAsync(() => _scene.Service<CredentialDesk>().Known.Any(credential => credential.Name == "vpn"), "the worker's credentials");
        await File.WriteAllTextAsync(_scene.File("password"), Browser.Password + "\n", TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        Environment.SetEnvironmentVariable("XDG_CONFIG_HOME", null);
        await _scene.DisposeAsync();
        await _worker.DisposeAsync();
    }

    private string Fingerprint => PemCertificate.Fingerprint(_scene.Service<PageCertificate>().Current);

    [Fact]
    public async Task OnTheBus_TheyAreListed_Changed_AndBrought()
    {
        Environment.SetEnvironmentVariable("APPLIANCE_BUS", _scene.BusAddress);
        try
        {
            var list = await ControlProgram.RunAsync("credentials");
            Assert.Contains("page-certificate     Certificate of the status page", list.Output, StringComparison.Ordinal);
            Assert.Contains(Fingerprint, list.Output, StringComparison.Ordinal);

            var before = Fingerprint;
            var rotated = await ControlProgram.RunAsync("credentials", "rotate", "page-certificate");
            Assert.True(rotated.Code == 0, rotated.Error);
            Assert.NotEqual(before, Fingerprint);
            await _scene.HealthBecomesAsync("healthy"); // over TLS, by the new one

            await File.WriteAllTextAsync(_scene.File("key"), "the planted secret", TestContext.Current.CancellationToken);
            var set = await ControlProgram.RunAsync("credentials", "set", "vpn", _scene.File("key"));
            Assert.True(set.Code == 0, set.Error);
            Assert.Equal("the planted secret", await File.ReadAllTextAsync(Path.Join(_worker.Disk.Root, "/var/lib/vpn.key"), TestContext.Current.CancellationToken));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Join(_worker.Disk.Root, "/var/lib/vpn.key")));
            var json = (JsonArray)JsonNode.Parse((await ControlProgram.RunAsync("credentials", "list", "--json")).Output)!;
            Assert.Equal("grace", (string?)json.Single(row => (string?)row!["name"] == "vpn")!["step"]);

            Assert.Equal(2, (await ControlProgram.RunAsync("credentials", "rotate", "nothing")).Code);
            var made = await ControlProgram.RunAsync("credentials", "rotate", "vpn");
            Assert.Contains("Bring one: appliancectl credentials set vpn FILE", made.Error, StringComparison.Ordinal);
            Assert.Contains("cannot be brought", (await ControlProgram.RunAsync("credentials", "set", "page-certificate", _scene.File("key"))).Error, StringComparison.Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable("APPLIANCE_BUS", null);
        }
    }

    [Fact]
    public async Task FromAnotherComputer_TheyAreBrought_AndAFailureIsShown()
    {
        using var browser = new Browser(_scene.Http.BaseAddress!);
        await browser.OwnAsync(_scene.Service<OwnerAccess>().SetupCode!);
        var host = $"--host=127.0.0.1:{_scene.Http.BaseAddress!.Port}";
        Assert.Equal(0, (await ControlProgram.RunAsync(host, "login", "--fingerprint", Fingerprint, "--password-file", _scene.File("password"))).Code);
        await File.WriteAllTextAsync(_scene.File("key"), "the planted secret", TestContext.Current.CancellationToken);
        var set = await ControlProgram.RunAsync(host, "credentials", "set", "vpn", _scene.File("key"));
        Assert.True(set.Code == 0, set.Error);

        _worker.Units.OnStart = _ => throw new Appliance.Core.UserError("vpn.service is failed and not active");
        await File.WriteAllTextAsync(_scene.File("key"), "another planted secret", TestContext.Current.CancellationToken);
        var failed = await ControlProgram.RunAsync(host, "credentials", "set", "vpn", _scene.File("key"));
        Assert.Equal(1, failed.Code);
        Assert.Contains("vpn.service is failed and not active", failed.Error + failed.Output, StringComparison.Ordinal);
        var list = await ControlProgram.RunAsync(host, "credentials");
        Assert.Equal(1, list.Code);
        Assert.Contains("not changed", list.Output, StringComparison.Ordinal);
        await Eventually.IsTrueAsync(() => _scene.Service<Appliance.Supervisor.Findings.FindingList>().Current.Any(finding => finding.Id == "credential-not-rotated"), "the finding");
        var metrics = await _scene.Http.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Contains("appliance_credential_failing{otel_scope_name=\"appliance\",credential=\"vpn\"} 1", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("planted", metrics, StringComparison.Ordinal);
    }
}
