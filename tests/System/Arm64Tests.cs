using System.Diagnostics;
using System.Text.Json.Nodes;
using Appliance.SystemTests.Updates;

namespace Appliance.SystemTests;

/// <summary>The other architecture: images built here by emulation, as an emulated machine, and their supervisor on this machine's kernel.</summary>
public sealed class Arm64Tests(Arm64Repository repository) : IClassFixture<Arm64Repository>, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("arm64");

    public void Dispose() => _folder.Delete(recursive: true);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task TheImage_Boots_UpdatesItself_AndKeepsTheNewVersion()
    {
        await repository.ReadyAsync();
        await using var machine = await RunningMachine.StartAsync("arm64", repository.Disk(UpdateRepository.First), ownTime: true);
        await machine.WaitForGoodBootAsync();
        Assert.Equal("aarch64", await machine.RunAsync("uname -m"));
        Assert.StartsWith("CRYPT-VERITY-", await machine.RunAsync("cat /sys/block/dm-0/dm/uuid"), StringComparison.Ordinal);
        Assert.Equal("", await machine.RunAsync("systemctl --failed --no-legend --plain"));

        await machine.WaitAsync("version 1.1, kept", async () => await machine.ControlAsync() is { } status && (string?)status["version"] == UpdateRepository.Good && (string?)status["updateState"] == "idle");
        var after = (await machine.ControlAsync())!;

        Assert.Equal(["installed", "committed"], ((JsonArray)after["history"]!).Select(entry => (string?)entry!["outcome"]));
        Assert.All((JsonArray)after["slots"]!, slot => Assert.Equal("good", (string?)slot!["state"]));
        Assert.Equal("edge_1.0.efi\nedge_1.1.efi", await machine.RunAsync("ls /boot/EFI/Linux"));
    }

    /// <summary>The very binary of the image, with the libraries of its root: the page, the bus and the command line.</summary>
    [Fact(Explicit = true)]
    public async Task TheSupervisor_RunsUnderUserEmulation()
    {
        const int aarch64 = 183; // EM_AARCH64
        await repository.ReadyAsync();
        var supervisor = Path.Combine(repository.Stage("supervisor"), "appliance-supervisor");
        Assert.Equal(aarch64, BitConverter.ToUInt16(await File.ReadAllBytesAsync(supervisor, Token), 18));
        var control = Path.Combine(_folder.FullName, "appliancectl");
        File.CreateSymbolicLink(control, supervisor);
        var port = ImageBuilder.Run.RunCommand.FreePort(28543);
        var environment = new Dictionary<string, string>
        {
            ["QEMU_LD_PREFIX"] = Path.Combine(repository.Stage("base"), "tree"),
            ["APPLIANCE_ROOT"] = Path.Combine(repository.Stage("overlays"), "upper"),
            ["APPLIANCE_BUS"] = $"unix:path={Path.Combine(_folder.FullName, "bus")}",
            ["APPLIANCE_STATE"] = Path.Combine(_folder.FullName, "state"),
            ["APPLIANCE_ISSUE"] = Path.Combine(_folder.FullName, "issue"),
            ["APPLIANCE_LISTEN"] = $"127.0.0.1:{port}",
        };
        using var bus = Start("dbus-daemon", [], "--session", "--nofork", "--print-address", $"--address={environment["APPLIANCE_BUS"]}");
        await bus.StandardOutput.ReadLineAsync(Token);
        using var systemd = Start(Path.Combine(Product.Root, "bench", "systemd-stand-in.py"), new() { ["DBUS_SESSION_BUS_ADDRESS"] = environment["APPLIANCE_BUS"] });
        await WaitForTheNameAsync(environment["APPLIANCE_BUS"], "org.freedesktop.systemd1", systemd);
        using var daemon = Start(supervisor, environment);
        try
        {
            var page = await WaitForThePageAsync(port, daemon);
            using var asked = Start(control, environment, "status", "--json");
            var said = JsonNode.Parse(await asked.StandardOutput.ReadToEndAsync(Token))!;
            await asked.WaitForExitAsync(Token);

            foreach (var status in new[] { page, said }) Assert.Equal(("edge", UpdateRepository.Good), ((string?)status["id"], (string?)status["version"]));
        }
        finally
        {
            foreach (var process in new[] { daemon, systemd, bus }.Where(process => !process.HasExited)) process.Kill(entireProcessTree: true);
            await daemon.WaitForExitAsync(CancellationToken.None);
        }
    }

    private static async Task WaitForTheNameAsync(string bus, string name, Process owner)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        while (await timer.WaitForNextTickAsync(Token))
        {
            Assert.False(owner.HasExited, owner.HasExited ? await owner.StandardError.ReadToEndAsync(Token) : "");
            using var list = Start("busctl", [], $"--address={bus}", "list", "--acquired", "--no-pager");
            if ((await list.StandardOutput.ReadToEndAsync(Token)).Contains(name, StringComparison.Ordinal)) return;
        }
    }

    private static Process Start(string program, Dictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>What the page says as soon as it says something.</summary>
    private static async Task<JsonNode> WaitForThePageAsync(int port, Process daemon)
    {
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true };
        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(20) };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromMinutes(3));
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        while (await timer.WaitForNextTickAsync(limit.Token))
        {
            Assert.False(daemon.HasExited, daemon.HasExited ? await daemon.StandardOutput.ReadToEndAsync(Token) + await daemon.StandardError.ReadToEndAsync(Token) : "");
            try
            {
                return JsonNode.Parse(await http.GetStringAsync(new Uri($"https://127.0.0.1:{port}/api/v1/status"), limit.Token))!;
            }
            catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !limit.IsCancellationRequested))
            {
                // It still starts.
            }
        }
        throw new UnreachableException();
    }
}
