using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.Pkcs;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Appliance.Supervisor.Fleet;

/// <summary>
/// Gets certificates by Enrolment over Secure Transport (RFC 7030). A server may send its authorities along: whose key a certificate is
/// for tells them apart.
/// </summary>
internal sealed class EstClient(FleetServer server) : IDisposable
{
    private const int LargestAnswer = 64 << 10;
    private readonly HttpClient _http = server.CreateClient(LargestAnswer, withToken: false);

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>Gets the first certificate, for the device's token.</summary>
    /// <exception cref="DdiException">There is none; <see cref="DdiFault.Gone"/> when the server does not speak EST.</exception>
    public Task<X509Certificate2Collection> EnrolAsync(string deviceId, string token, byte[] request, CancellationToken cancellationToken) =>
        AskAsync("simpleenroll", request, new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{deviceId}:{token}"))), cancellationToken);

    /// <summary>Gets the first certificate, for one of another authority that the connection is made with.</summary>
    /// <exception cref="DdiException">There is none; <see cref="DdiFault.Gone"/> when the server does not speak EST.</exception>
    public Task<X509Certificate2Collection> EnrolAsync(byte[] request, CancellationToken cancellationToken) => AskAsync("simpleenroll", request, null, cancellationToken);

    /// <summary>Gets the next certificate, for the one that the connection is made with.</summary>
    /// <exception cref="DdiException">There is none.</exception>
    public Task<X509Certificate2Collection> RenewAsync(byte[] request, CancellationToken cancellationToken) => AskAsync("simplereenroll", request, null, cancellationToken);

    private async Task<X509Certificate2Collection> AskAsync(string operation, byte[] request, AuthenticationHeaderValue? authorization, CancellationToken cancellationToken)
    {
        // In short lines that end as openssl and base64 end theirs: some decoders want lines, some trip over a carriage return.
        using var content = new StringContent(Convert.ToBase64String(request, Base64FormattingOptions.InsertLineBreaks).ReplaceLineEndings("\n") + "\n", new MediaTypeHeaderValue("application/pkcs10"));
        content.Headers.TryAddWithoutValidation("Content-Transfer-Encoding", "base64");
        using var message = new HttpRequestMessage(HttpMethod.Post, new Uri(server.Address, $"/.well-known/est/{operation}")) { Content = content, Headers = { Authorization = authorization } };
        using var answer = await DdiClient.AnswerAsync(_http, message, HttpCompletionOption.ResponseContentRead, cancellationToken);
        if (answer.StatusCode == System.Net.HttpStatusCode.Accepted) throw new DdiException(DdiFault.Unreachable, "somebody has to agree to the certificate first", DdiClient.WaitOf(answer));
        try
        {
            var bag = new SignedCms();
            bag.Decode(Convert.FromBase64String(Encoding.ASCII.GetString(await answer.Content.ReadAsByteArrayAsync(cancellationToken))));
            return bag.Certificates;
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            throw new DdiException(DdiFault.Unreachable, $"it answers what is no certificate: {e.Message}", inner: e);
        }
    }
}
