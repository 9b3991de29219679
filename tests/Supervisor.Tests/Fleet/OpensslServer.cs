using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using UpdateServer.Tests.Certificates;

namespace Supervisor.Tests.Fleet;

/// <summary>
/// A fleet's server that has nothing of ours: requests are read, certificates issued and checked and answers packed by Debian's openssl.
/// Only HTTP, and TLS below it, are .NET's.
/// </summary>
internal sealed class OpensslServer : IAsyncDisposable
{
    public const string DeviceToken = "a-token";

    /// <summary>How it issues <c>cert.pem</c> for <c>request.der</c>.</summary>
    public const string Issues = "openssl x509 -req -inform DER -in request.der -CA ca.pem -CAkey ca.key -days 30 -out cert.pem";

    private const string NewKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

    private readonly Shell _shell = new(new Uri("https://127.0.0.1"));
    private readonly SemaphoreSlim _turn = new(1);
    private WebApplication _application = null!;

    private OpensslServer()
    {
    }

    public Uri Address { get; private set; } = null!;

    /// <summary>The certificate of its authority.</summary>
    public string Trust => File.ReadAllText(_shell["ca.pem"]);

    /// <summary>A certificate of somebody else's authority.</summary>
    public string OtherTrust => File.ReadAllText(_shell["other-ca.pem"]);

    /// <summary>How it issues.</summary>
    public string Issue { get; set; } = Issues;

    /// <summary>What of that it answers with, in which order.</summary>
    public string Answer { get; set; } = "-certfile cert.pem";

    /// <summary>How it makes text of that.</summary>
    public string Text { get; set; } = "base64";

    /// <summary>Whether it says so (Content-Transfer-Encoding).</summary>
    public bool SaysEncoding { get; set; } = true;

    /// <summary>What it answers with first, instead: 202, and to come again.</summary>
    public ConcurrentQueue<RetryConditionHeaderValue> Waits { get; } = new();

    /// <summary>What it answers to the next questions of devices, whoever asks: a status and a body, as a proxy before it might.</summary>
    public ConcurrentQueue<(int Status, string Body)> Refusals { get; } = new();

    /// <summary>Which certificates of its own it takes; all while it is null.</summary>
    public Func<X509Certificate2, bool>? Takes { get; set; }

    /// <summary>Whether the token ends with the first question by a certificate.</summary>
    public bool EndsToken { get; set; }

    /// <summary>Whether the token has ended.</summary>
    public bool IsTokenOver { get; set; }

    /// <summary>While it is set, requests for a certificate wait for it.</summary>
    public TaskCompletionSource? Hold { get; set; }

    /// <summary>Every request for a certificate, as it came, without the white space.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>Every path that was asked for.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    public static async Task<OpensslServer> StartAsync()
    {
        var server = new OpensslServer();
        await server._shell.RunAsync($"""
            openssl req -x509 {NewKey} -keyout ca.key -out ca.pem -subj '/CN=Somebody/O=Example' -days 3650 2>/dev/null
            openssl req -x509 {NewKey} -keyout other-ca.key -out other-ca.pem -subj '/CN=Somebody else' -days 3650 2>/dev/null
            openssl req -new {NewKey} -keyout server.key -out server.csr -subj /CN=fleet 2>/dev/null
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 300 -out server.pem -extfile <(echo subjectAltName=IP:127.0.0.1) 2>/dev/null
            """);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen => listen.UseHttps(new HttpsConnectionAdapterOptions
        {
            ServerCertificate = X509Certificate2.CreateFromPemFile(server._shell["server.pem"], server._shell["server.key"]),
            ClientCertificateMode = ClientCertificateMode.AllowCertificate,
            ClientCertificateValidation = (_, _, _) => true, // openssl does
        })));
        server._application = builder.Build();
        server._application.Run(server.ServeAsync);
        await server._application.StartAsync(TestContext.Current.CancellationToken);
        server.Address = new Uri(server._application.Urls.First());
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        _turn.Dispose();
        _shell.Dispose();
    }

    private async Task ServeAsync(HttpContext context)
    {
        await _turn.WaitAsync(context.RequestAborted);
        try
        {
            Asked.Enqueue(context.Request.Path);
            switch (context.Request.Path.Value!.Split('/'))
            {
                case ["", "default", "controller", "v1", var id]:
                    if (Refusals.TryDequeue(out var refusal))
                    {
                        (context.Response.StatusCode, context.Response.ContentType) = (refusal.Status, "text/html");
                        await context.Response.WriteAsync(refusal.Body, context.RequestAborted);
                    }
                    else if ((!IsTokenOver && context.Request.Headers.Authorization == $"TargetToken {DeviceToken}") || await ShowsCertificateAsync(context, id)) await context.Response.WriteAsync("{}", context.RequestAborted);
                    else context.Response.StatusCode = 401;
                    break;
                case ["", ".well-known", "est", "simpleenroll"]:
                    if (!IsTokenOver && AuthenticationHeaderValue.TryParse(context.Request.Headers.Authorization, out var basic) && Encoding.UTF8.GetString(Convert.FromBase64String(basic.Parameter!)).EndsWith($":{DeviceToken}", StringComparison.Ordinal)) await IssueAsync(context, "true");
                    else context.Response.StatusCode = 401;
                    break;
                case ["", ".well-known", "est", "simplereenroll"]:
                    // RFC 7030, 4.2.2: for the name of the certificate that is renewed.
                    if (await ShowsCertificateAsync(context, "")) await IssueAsync(context, "[ \"$(openssl req -inform DER -in request.der -noout -subject)\" = \"$(openssl x509 -in client.pem -noout -subject)\" ]");
                    else context.Response.StatusCode = 401;
                    break;
                default:
                    context.Response.StatusCode = 404;
                    break;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<bool> ShowsCertificateAsync(HttpContext context, string id)
    {
        if (context.Connection.ClientCertificate is not { } shown) return false;
        await File.WriteAllTextAsync(_shell["client.pem"], shown.ExportCertificatePem(), context.RequestAborted);
        var takes = Takes?.Invoke(shown) != false && (await _shell.TryAsync($"openssl verify -CAfile ca.pem -purpose sslclient client.pem; openssl x509 -in client.pem -noout -subject -nameopt RFC2253 | grep '^subject=CN={id}'")).ExitCode == 0;
        if (takes && EndsToken && id.Length > 0) IsTokenOver = true;
        return takes;
    }

    private async Task IssueAsync(HttpContext context, string condition)
    {
        using var reader = new StreamReader(context.Request.Body);
        var request = await reader.ReadToEndAsync(context.RequestAborted);
        if (Hold is { } held) await held.Task.WaitAsync(context.RequestAborted);
        Requests.Enqueue(string.Concat(request.Where(letter => !char.IsWhiteSpace(letter))));
        await File.WriteAllTextAsync(_shell["request"], request, context.RequestAborted);
        // Both decoders that a script would use have to take it.
        var (exitCode, said) = await _shell.TryAsync($"openssl base64 -d -in request -out request.der; base64 -d request | cmp - request.der; openssl req -inform DER -in request.der -verify -noout; {condition}");
        if (exitCode == 0 && Waits.TryDequeue(out var wait))
        {
            context.Response.StatusCode = 202;
            context.Response.Headers.RetryAfter = wait.ToString();
            return;
        }
        if (exitCode == 0) (exitCode, said) = await _shell.TryAsync($"{Issue}; openssl crl2pkcs7 -nocrl {Answer} -outform DER | {Text} > answer");
        if (exitCode != 0)
        {
            (context.Response.StatusCode, context.Response.ContentType) = (400, "text/plain");
            await context.Response.WriteAsync(said, context.RequestAborted);
            return;
        }
        context.Response.ContentType = "application/pkcs7-mime; smime-type=certs-only";
        if (SaysEncoding) context.Response.Headers["Content-Transfer-Encoding"] = "base64";
        await context.Response.SendFileAsync(_shell["answer"], context.RequestAborted);
    }
}
