using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace UpdateServer.Tests.Rollouts;

/// <summary>Two servers, as programs of their own, on one PostgreSQL.</summary>
public sealed class ReplicaTests : IAsyncDisposable
{
    private const int Devices = 60;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("replicas");
    private readonly List<(Uri Address, Process Process)> _servers = [];
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };
    private string _key = "";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, process) in _servers)
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
        }
        _http.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>A server that is killed in the middle loses nothing and leaves nothing half-done: the other goes on, and each device gets the release once.</summary>
    [Fact]
    public async Task OneOfTwoServersIsKilled_InTheMiddleOfARollout()
    {
        var database = await PostgresServer.CreateDatabaseAsync();
        // Together: both bring the tables up to date.
        for (var i = 0; i < 2; i++) Start(database);
        await Eventually.IsTrueAsync(async () => await IsReadyAsync(0) && await IsReadyAsync(1), "both servers");
        _key = await KeyAsync(database);
        foreach (var device in Enumerable.Range(1, Devices)) await AskAsync(0, HttpMethod.Get, Base(device), gateway: true);
        var release = await AskAsync(0, HttpMethod.Put, "/api/v1/releases/app/1.1/files/app.swu", content: new ByteArrayContent([1, 2, 3]));
        var rollout = (long)(await AskAsync(1, HttpMethod.Post, "/api/v1/rollouts", JsonContent.Create(new { name = "all", release = (long)release!["id"]!, groups = new[] { "10%", "30%" } })))!["id"]!;
        await AskAsync(0, HttpMethod.Post, $"/api/v1/rollouts/{rollout}/start", JsonContent.Create(new { }));

        using var end = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var done = 0;
        var fleet = Enumerable.Range(1, Devices).Select(device => RunAsync(device, () => Interlocked.Increment(ref done), end.Token)).ToList();
        await Eventually.IsTrueAsync(() => Volatile.Read(ref done) >= Devices / 5, "a fifth of the devices");
        _servers[0].Process.Kill();

        await Eventually.IsTrueAsync(async () => (string?)(await AskAsync(1, HttpMethod.Get, $"/api/v1/rollouts/{rollout}"))!["state"] == "finished", "the end of the rollout");
        await end.CancelAsync();
        await Task.WhenAll(fleet);
        var groups = (await AskAsync(1, HttpMethod.Get, $"/api/v1/rollouts/{rollout}"))!["groups"]!.AsArray();
        Assert.Equal((Devices, 0, 0), (groups.Sum(group => (int)group!["finished"]!), groups.Sum(group => (int)group!["running"]!), groups.Sum(group => (int)group!["failed"]!)));
        Assert.Single(((await AskAsync(1, HttpMethod.Get, "/api/v1/audit?take=500"))!).AsArray(), entry => (string?)entry!["what"] == "rollout.finish");
        foreach (var device in Enumerable.Range(1, Devices)) Assert.Single((await AskAsync(1, HttpMethod.Get, $"/api/v1/devices/edge-{device}/actions"))!.AsArray());
    }

    /// <summary>A device that asks whichever server it finds, and installs what it is given.</summary>
    private async Task RunAsync(int device, Action onDone, CancellationToken cancellationToken)
    {
        var random = new Random(device);
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var server = random.Next(2);
                if ((string?)(await AskAsync(server, HttpMethod.Get, Base(device), gateway: true))!["_links"]!["deploymentBase"]?["href"] is { } link)
                {
                    var action = (string)(await AskAsync(server, HttpMethod.Get, new Uri(link).PathAndQuery, gateway: true))!["id"]!;
                    foreach (var execution in new[] { "proceeding", "closed" })
                        await AskAsync(server, HttpMethod.Post, $"{Base(device)}/deploymentBase/{action}/feedback", JsonContent.Create(new { status = new { execution, result = new { finished = "success" } } }), gateway: true);
                    onDone();
                }
            }
            catch (HttpRequestException)
            {
                // That server is gone, or was in the middle of it; the next question finds out.
            }
            await Task.Delay(random.Next(20, 200), CancellationToken.None);
        }
    }

    private static string Base(int device) => $"/default/controller/v1/edge-{device}";

    private async Task<JsonNode?> AskAsync(int server, HttpMethod method, string path, HttpContent? content = null, bool gateway = false)
    {
        using var request = new HttpRequestMessage(method, new Uri(_servers[server].Address, path)) { Content = content, Headers = { Authorization = gateway ? new AuthenticationHeaderValue("GatewayToken", ServerScene.GatewayToken) : new AuthenticationHeaderValue("Bearer", _key) } };
        using var answer = await _http.SendAsync(request, Token);
        if (answer.StatusCode == HttpStatusCode.Gone) return null; // said before, and the answer was lost
        var text = await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Token);
        return text.Length == 0 ? null : JsonNode.Parse(text);
    }

    private async Task<bool> IsReadyAsync(int server)
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri(_servers[server].Address, "/readyz"), Token);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private void Start(string database)
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}");
        free.Stop();
        _servers.Add((address, Process.Start(Program(database, "serve", "--listen", address.ToString()))!));
    }

    private async Task<string> KeyAsync(string database)
    {
        var start = Program(database, "key", "anna");
        start.RedirectStandardOutput = true;
        using var process = Process.Start(start)!;
        var key = await process.StandardOutput.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);
        return key.Trim();
    }

    /// <summary>The program beside this one. The files that are uploaded lie on a folder that both servers share.</summary>
    private ProcessStartInfo Program(string database, params string[] arguments) => new(Path.Combine(AppContext.BaseDirectory, "appliance-server"), [.. arguments, "--data", _folder.FullName])
    {
        Environment = { ["APPLIANCE_SERVER_DATABASE"] = database, ["APPLIANCE_SERVER_GATEWAY_TOKEN"] = ServerScene.GatewayToken },
    };
}
