using System.Diagnostics;
using System.Text.Json.Nodes;
using Appliance.ImageBuilder.Run;

namespace Supervisor.Tests.Web;

/// <summary>Debian's Prometheus, which scrapes one device.</summary>
internal sealed class PrometheusServer : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("prometheus");
    private readonly HttpClient _http = new();
    private Process? _process;

    public static async Task<PrometheusServer> StartAsync(Uri device)
    {
        var server = new PrometheusServer();
        var config = Path.Combine(server._folder.FullName, "prometheus.yml");
        await File.WriteAllTextAsync(config, $$"""
            global: { scrape_interval: 1s }
            scrape_configs:
              - job_name: device
                scheme: https
                tls_config: { insecure_skip_verify: true }
                static_configs: [{ targets: ["{{device.Authority}}"] }]
            """, TestContext.Current.CancellationToken);
        var port = RunCommand.FreePort(29090);
        server._http.BaseAddress = new Uri($"http://127.0.0.1:{port}/");
        var start = new ProcessStartInfo("prometheus", [$"--config.file={config}", $"--storage.tsdb.path={Path.Combine(server._folder.FullName, "data")}", $"--web.listen-address=127.0.0.1:{port}"]) { RedirectStandardError = true };
        server._process = Process.Start(start)!;
        server._process.ErrorDataReceived += (_, _) => { };
        server._process.BeginErrorReadLine();
        return server;
    }

    /// <summary>The value of a query's only series, or null while there is none.</summary>
    public async Task<string?> QueryAsync(string query)
    {
        Assert.False(_process!.HasExited, "prometheus ended");
        try
        {
            var answer = JsonNode.Parse(await _http.GetStringAsync($"api/v1/query?query={Uri.EscapeDataString(query)}", TestContext.Current.CancellationToken))!;
            return answer["data"]!["result"] is JsonArray { Count: 1 } series ? (string?)series[0]!["value"]![1] : null;
        }
        catch (HttpRequestException)
        {
            return null; // not listening yet, or not ready
        }
    }

    public void Dispose()
    {
        _process?.Kill();
        _process?.WaitForExit();
        _process?.Dispose();
        _http.Dispose();
        _folder.Delete(recursive: true);
    }
}
