using System.Diagnostics;
using System.Net.Sockets;
using Appliance.Core.Health;
using Appliance.Supervisor.Systemd;

namespace Appliance.Supervisor.Health;

/// <summary>A check declared in the image definition: a unit, a URL, a port or a command.</summary>
internal sealed class DeclaredProbe(HealthCheck check, Systemd1 systemd, HttpClient http) : IHealthProbe
{
    private const int LongestMessage = 300;

    public string Name => check.Name;
    public bool Gate => check.Gate;
    public TimeSpan Interval => check.Interval;
    public TimeSpan Timeout => check.Timeout;

    public Task<ProbeResult> TryAsync(CancellationToken cancellationToken) => check switch
    {
        { Unit: { } unit } => TryUnitAsync(unit),
        { Http: { } url } => TryHttpAsync(url, cancellationToken),
        { Tcp: { } endpoint } => TryTcpAsync(endpoint, cancellationToken),
        { Command: { Count: > 0 } command } => TryCommandAsync(command[0], command.Skip(1), cancellationToken),
        _ => Task.FromResult(ProbeResult.Fail("the check declares nothing to check")),
    };

    private async Task<ProbeResult> TryUnitAsync(string name)
    {
        var state = await systemd.ActiveStateAsync(name);
        return state == "active" ? ProbeResult.Pass($"{name} is active") : ProbeResult.Fail($"{name} is {state}");
    }

    private async Task<ProbeResult> TryHttpAsync(string url, CancellationToken cancellationToken)
    {
        using var response = await http.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        return response.IsSuccessStatusCode ? ProbeResult.Pass($"{url} answers {(int)response.StatusCode}") : ProbeResult.Fail($"{url} answers {(int)response.StatusCode}");
    }

    private static async Task<ProbeResult> TryTcpAsync(string endpoint, CancellationToken cancellationToken)
    {
        var colon = endpoint.LastIndexOf(':');
        using var client = new TcpClient();
        await client.ConnectAsync(endpoint[..colon].Trim('[', ']'), int.Parse(endpoint[(colon + 1)..]), cancellationToken);
        return ProbeResult.Pass($"{endpoint} accepts connections");
    }

    private static async Task<ProbeResult> TryCommandAsync(string program, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        using var process = new Process { StartInfo = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true } };
        process.Start();
        process.StandardInput.Close();
        await using var registration = cancellationToken.Register(() => process.Kill(entireProcessTree: true));
        var output = ReadTailAsync(process.StandardOutput);
        var errors = ReadTailAsync(process.StandardError);
        await process.WaitForExitAsync(cancellationToken);
        var message = string.Join(' ', new[] { await errors, await output }.Where(text => text.Length > 0));
        return process.ExitCode == 0 ? ProbeResult.Pass(message.Length > 0 ? message : "exit code 0") : ProbeResult.Fail($"exit code {process.ExitCode} {message}".TrimEnd());
    }

    /// <summary>The last line, cut: a check that prints without end costs no memory.</summary>
    private static async Task<string> ReadTailAsync(StreamReader reader)
    {
        var buffer = new char[4096];
        var tail = "";
        int read;
        while ((read = await reader.ReadAsync(buffer)) > 0)
        {
            tail += new string(buffer, 0, read);
            if (tail.Length > LongestMessage) tail = tail[^LongestMessage..];
        }
        return tail.Trim().Split('\n')[^1].Trim();
    }
}
