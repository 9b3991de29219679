using Appliance.Core.Health;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>A URL answers with a 2xx status. The body is not read.</summary>
internal sealed class HttpProbe(HealthCheck check, HttpClient http) : DeclaredProbe(check)
{
    private readonly string _url = check.Http!;

    /// <summary>Another machine may be down without this one being to blame; who declares it as a gate wants it to count.</summary>
    public override bool IsAboutThisMachine => Gate || new Uri(_url).IsLoopback;

    public override async Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        using var response = await http.GetAsync(_url, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        var message = $"{_url} answers {(int)response.StatusCode}";
        return response.IsSuccessStatusCode ? ProbeResult.Pass(message) : ProbeResult.Fail(message);
    }
}
