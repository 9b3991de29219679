using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core.Health;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>
/// The update repository answers. What a network or a server can be down with is an outage; a server that does not trust us,
/// that we do not trust, or that has nothing for us is a failure, which an update may be to blame for.
/// </summary>
internal sealed class UpdateServerProbe(HealthCheck check, Uri? repository, Uri? proxy, string root) : DeclaredProbe(check)
{
    private const string Timestamp = "metadata/timestamp.json";

    public override bool SilenceIsOutage => true;

    public override async Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        if (repository is null) return ProbeResult.Fail("this image names no update repository (updates.url)");
        var file = new Uri(repository.AbsoluteUri.EndsWith('/') ? repository : new Uri(repository.AbsoluteUri + "/"), Timestamp);
        if (file.IsFile) return File.Exists(file.LocalPath) ? ProbeResult.Pass($"{file.LocalPath} is there") : ProbeResult.Outage($"{file.LocalPath} is not there");
        var (chain, policy) = (X509ChainStatusFlags.NoError, SslPolicyErrors.None);
        // A connection of its own each time: a kept one would hide that a new one is refused.
        using var handler = new SocketsHttpHandler();
        if (proxy is not null) handler.Proxy = new WebProxy(proxy);
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, shown, errors) =>
        {
            foreach (var status in shown?.ChainStatus ?? []) chain |= status.Status;
            policy = errors;
            return errors == SslPolicyErrors.None;
        };
        using var http = new HttpClient(handler) { Timeout = System.Threading.Timeout.InfiniteTimeSpan };
        using var request = new HttpRequestMessage(HttpMethod.Get, file);
        request.Headers.CacheControl = new CacheControlHeaderValue { NoCache = true };
        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return Judge(file, response);
        }
        catch (HttpRequestException e) when (e.GetBaseException() is AuthenticationException || e.InnerException is AuthenticationException)
        {
            return JudgeTrust(file.Host, policy, chain, Device.DeviceFacts.IsClockSet(root), e.GetBaseException().Message);
        }
        catch (HttpRequestException e)
        {
            return ProbeResult.Outage($"{file.Host} cannot be reached: {e.Message}");
        }
    }

    /// <summary>Who is to blame for a server that is not trusted.</summary>
    internal static ProbeResult JudgeTrust(string host, SslPolicyErrors policy, X509ChainStatusFlags chain, bool clockIsSet, string otherwise) => (policy, chain) switch
    {
        // A certificate for another name is the server's mistake, or a network's that wants a log-in first.
        _ when policy.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) => ProbeResult.Outage($"another machine answers for {host}"),
        // One out of its time accuses the clock while it is not set, and the server once it is.
        (_, X509ChainStatusFlags.NotTimeValid) => ProbeResult.Outage(clockIsSet ? $"{host} shows a certificate that is out of its time" : $"{host} cannot be trusted before the clock is set"),
        _ => ProbeResult.Fail($"{host} is not trusted: {(chain == X509ChainStatusFlags.NoError ? otherwise : chain.ToString())}"),
    };

    private static ProbeResult Judge(Uri file, HttpResponseMessage response) => response.StatusCode switch
    {
        >= HttpStatusCode.OK and < HttpStatusCode.MultipleChoices when response.Content.Headers.ContentType?.MediaType == "text/html" =>
            ProbeResult.Outage($"{file.Host} answers with a web page, as networks do that want a log-in"),
        >= HttpStatusCode.OK and < HttpStatusCode.MultipleChoices => ProbeResult.Pass($"{file.Host} answers"),
        HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests => ProbeResult.Outage($"{file.Host} is busy: it answers {(int)response.StatusCode}"),
        >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError => ProbeResult.Fail($"{file} answers {(int)response.StatusCode}"),
        _ => ProbeResult.Outage($"{file.Host} answers {(int)response.StatusCode}"),
    };
}
