using System.Net.Http.Json;
using System.Text.Json;

namespace Appliance.FleetSimulator;

/// <summary>A device that asks, and does what it is given: says that it is at it, and how it ended.</summary>
internal sealed class SimulatedDevice(int number, HttpClient http, LatencyLog polls, double failures)
{
    private readonly Random _random = new(number);
    private readonly string _base = $"/default/controller/v1/sim-{number}";

    /// <summary>Installations that ended.</summary>
    public int Installed { get; private set; }

    /// <summary>Until when it is away.</summary>
    public long AwayUntil { get; set; }

    /// <summary>Asks once, and does what there is to do.</summary>
    public async Task AskAsync(CancellationToken cancellationToken)
    {
        var since = System.Diagnostics.Stopwatch.GetTimestamp();
        using var tasks = await GetAsync(_base, cancellationToken);
        polls.Note(since);
        var links = tasks.RootElement.GetProperty("_links");
        if (links.TryGetProperty("configData", out _))
            using (var answer = await http.PutAsJsonAsync($"{_base}/configData", new { data = new Dictionary<string, string> { ["board"] = number % 4 == 0 ? "uefi-arm64" : "uefi-x86_64", ["site"] = $"site-{number % 100}" } }, cancellationToken)) answer.EnsureSuccessStatusCode();
        if (links.TryGetProperty("cancelAction", out var cancel))
        {
            using var asked = await GetAsync(Path(cancel), cancellationToken);
            await SayAsync("cancelAction", asked, "closed", "success", cancellationToken);
        }
        if (!links.TryGetProperty("deploymentBase", out var link)) return;
        using var deployment = await GetAsync(Path(link), cancellationToken);
        foreach (var step in new[] { "downloading", "writing" }) await SayAsync("deploymentBase", deployment, "proceeding", "none", cancellationToken, step);
        await SayAsync("deploymentBase", deployment, "closed", _random.NextDouble() < failures ? "failure" : "success", cancellationToken);
        Installed++;
    }

    private static string Path(JsonElement link) => new Uri(link.GetProperty("href").GetString()!).PathAndQuery;

    private async Task<JsonDocument> GetAsync(string path, CancellationToken cancellationToken)
    {
        using var answer = await http.GetAsync(path, cancellationToken);
        return await JsonDocument.ParseAsync(await answer.EnsureSuccessStatusCode().Content.ReadAsStreamAsync(cancellationToken), cancellationToken: cancellationToken);
    }

    private async Task SayAsync(string kind, JsonDocument action, string execution, string finished, CancellationToken cancellationToken, string? detail = null)
    {
        using var answer = await http.PostAsJsonAsync($"{_base}/{kind}/{action.RootElement.GetProperty("id").GetString()}/feedback", new { status = new { execution, result = new { finished }, details = detail is null ? Array.Empty<string>() : [detail] } }, cancellationToken);
        if (answer.StatusCode != System.Net.HttpStatusCode.Gone) answer.EnsureSuccessStatusCode();
    }
}
