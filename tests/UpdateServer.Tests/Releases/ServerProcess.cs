using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using UpdateClient.Tests.Install;

namespace UpdateServer.Tests.Releases;

/// <summary>The program <c>appliance-server</c> as it runs, which ends by being killed; without TLS, as behind a proxy.</summary>
internal sealed class ServerProcess : IDisposable
{
    private const int KilledExitCode = 128 + 9;
    private readonly Process _process;

    private ServerProcess(Process process, Uri address, string key)
    {
        (_process, Address) = (process, address);
        Admin = new HttpClient { BaseAddress = address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) } };
    }

    public Uri Address { get; }

    /// <summary>The management API.</summary>
    public HttpClient Admin { get; }

    private static string Program => Path.Combine(AppContext.BaseDirectory, "appliance-server");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Starts it and waits until it answers, or has been killed.</summary>
    /// <param name="scene">Folder with <c>data</c>, the repository and the online keys.</param>
    /// <param name="online">The online keys.</param>
    /// <param name="killAt">A folder, and at which of its changes it is killed: when the change is made and before it is sure to be on the disk. Null lets it run.</param>
    public static async Task<ServerProcess> StartAsync(UpdateScene scene, string online, (string Folder, int Change)? killAt = null)
    {
        var data = Directory.CreateDirectory(scene["data"]).FullName;
        await File.WriteAllTextAsync(scene["passphrase"], PublisherScene.Passphrase, Token);
        var key = await RunAsync("key", "anna", "--data", data);
        await File.WriteAllTextAsync(scene["api.key"], key, Token);
        var address = new Uri($"http://127.0.0.1:{FreePort()}");
        string[] serve = [Program, "serve", "--data", data, "--repo", scene.Repository, "--online-keys", online, "--online-keys-passphrase-file", scene["passphrase"], "--listen", address.ToString()];
        string[] command = killAt is var (folder, change) ? ["strace", "-f", "-qq", "-o", scene["strace"], "-P", folder, "-e", "trace=fsync", "-e", $"inject=fsync:signal=KILL:when={change}", .. serve] : serve;
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true })!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        var server = new ServerProcess(process, address, key);
        await Eventually.IsTrueAsync(server.AnswersOrHasEndedAsync, "the server");
        Assert.False(killAt is null && process.HasExited, "the server has ended");
        return server;
    }

    /// <summary>Kills it at once.</summary>
    public async Task KillAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync(Token);
    }

    /// <summary>It was killed where it was to be.</summary>
    public async Task AssertKilledAsync()
    {
        await _process.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromMinutes(1), Token);
        Assert.Equal(KilledExitCode, _process.ExitCode);
    }

    public void Dispose()
    {
        Admin.Dispose();
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    private async Task<bool> AnswersOrHasEndedAsync()
    {
        if (_process.HasExited) return true;
        try
        {
            using var answer = await Admin.GetAsync("/readyz", Token);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<string> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Program, arguments) { RedirectStandardOutput = true })!;
        var said = await process.StandardOutput.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);
        Assert.Equal(0, process.ExitCode);
        return said.Trim();
    }
}
