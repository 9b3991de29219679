using System.Diagnostics;
using System.Net.Http.Headers;

namespace Appliance.FleetSimulator;

/// <summary>Many devices against one server.</summary>
internal sealed class Simulation(SimulatorOptions options)
{
    private readonly LatencyLog _polls = new();
    private long _errors;

    /// <summary>Runs, and says how it went, in a line of JSON.</summary>
    public async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = options.Concurrency };
        using var http = new HttpClient(handler) { BaseAddress = options.Server, Timeout = TimeSpan.FromSeconds(30), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("GatewayToken", options.GatewayToken) } };
        using var free = new SemaphoreSlim(options.Concurrency);
        var devices = Enumerable.Range(1, options.Devices).Select(number => new SimulatedDevice(number, http, _polls, options.Failures)).ToArray();
        var (start, asked) = (Stopwatch.GetTimestamp(), 0L);
        var away = new Random(1);
        while (Stopwatch.GetElapsedTime(start) < options.Duration && !cancellationToken.IsCancellationRequested)
        {
            var device = devices[asked % devices.Length];
            // Spread over the interval: the k-th question of all is due after k times its part of it.
            if (options.Interval is { } interval && (asked * interval / devices.Length) - Stopwatch.GetElapsedTime(start) is { Ticks: > 0 } wait) await Task.Delay(wait, cancellationToken);
            if (options.UntilInstalled && asked % devices.Length == 0 && Array.TrueForAll(devices, one => one.Installed > 0)) break;
            asked++;
            if (options.UntilInstalled && device.Installed > 0) continue;
            if (device.AwayUntil > asked || away.NextDouble() < options.Offline)
            {
                if (device.AwayUntil <= asked) device.AwayUntil = asked + (2L * devices.Length); // for its next two questions
                continue;
            }
            await free.WaitAsync(cancellationToken);
            _ = AskAsync(device, free, cancellationToken);
        }
        for (var i = 0; i < options.Concurrency; i++) await free.WaitAsync(CancellationToken.None);
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return FormattableString.Invariant($$"""{"devices":{{devices.Length}},"seconds":{{seconds:0.0}},"polls":{{_polls.Count}},"pollsPerSecond":{{_polls.Count / seconds:0}},"p50":{{_polls.Percentile(0.5):0.0}},"p99":{{_polls.Percentile(0.99):0.0}},"installed":{{devices.Sum(device => (long)device.Installed)}},"errors":{{_errors}}}""");
    }

    private async Task AskAsync(SimulatedDevice device, SemaphoreSlim free, CancellationToken cancellationToken)
    {
        try
        {
            await device.AskAsync(cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or System.Text.Json.JsonException)
        {
            // It asks again when it is its turn.
            Interlocked.Increment(ref _errors);
        }
        finally
        {
            free.Release();
        }
    }
}
