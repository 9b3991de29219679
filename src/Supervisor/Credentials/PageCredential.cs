using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Core;
using Appliance.Core.Access;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Web;

namespace Appliance.Supervisor.Credentials;

/// <summary>The certificate that the status page shows. It has no end worth the name, so it is changed when somebody says so.</summary>
/// <param name="certificate">The certificate.</param>
/// <param name="isShown">Connects to the page, and says whether it shows the certificate and answers.</param>
internal sealed class PageCredential(PageCertificate certificate, Func<CancellationToken, Task<ProbeResult>> isShown) : ICredential
{
    private const string LogsHint = "appliancectl logs --unit appliance-supervisor.service";

    /// <inheritdoc/>
    public string Name => CredentialNames.PageCertificate;

    /// <summary>How long it is tried before the old one comes back: a machine that has just started is slow.</summary>
    public TimeSpan Within { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long one answer is waited for.</summary>
    public TimeSpan AnswerLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public TimeSpan Grace => TimeSpan.FromDays(1);

    /// <inheritdoc/>
    public CredentialFacts? Read() => new("Certificate of the status page") { ExpiresAt = certificate.Current.NotAfter.ToUniversalTime(), Identity = PemCertificate.Fingerprint(certificate.Current) };

    /// <inheritdoc/>
    public DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record) => null;

    /// <inheritdoc/>
    public Task PrepareAsync(RotationWork work, CancellationToken cancellationToken)
    {
        work.Say("before the new certificate is written");
        DurableFile.Write(New(work), Encoding.ASCII.GetBytes(certificate.Create()));
        return Task.CompletedTask;
    }

    /// <summary>Has a client and a server of our own agree on it.</summary>
    public async Task ProveAsync(RotationWork work, CancellationToken cancellationToken)
    {
        using var next = PemCertificate.Load(File.ReadAllText(New(work)));
        await RequireAsync(async limit =>
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            using var client = new TcpClient();
            var accepted = listener.AcceptTcpClientAsync(limit);
            await client.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port, limit);
            using var server = await accepted;
            await using var ours = new SslStream(server.GetStream());
            await using var theirs = new SslStream(client.GetStream(), false, (_, shown, _, _) => Is(shown, next));
            await Task.WhenAll(ours.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = next }, limit), theirs.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, limit));
        }, "No TLS connection comes about with the new certificate", cancellationToken);
    }

    /// <inheritdoc/>
    public Task SwitchAsync(RotationWork work, CancellationToken cancellationToken)
    {
        work.Say("before the old certificate is kept");
        if (!File.Exists(Old(work))) DurableFile.Write(Old(work), File.ReadAllBytes(certificate.Path));
        work.Say("before the new certificate is in its place");
        DurableFile.Write(certificate.Path, File.ReadAllBytes(New(work)));
        work.Say("after the new certificate is in its place");
        certificate.Load();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken)
    {
        using var next = PemCertificate.Load(File.ReadAllText(New(work)));
        if (!Is(certificate.Current, next)) throw new UserError("The page has another certificate.");
        await RequireAsync(async limit =>
        {
            if (await isShown(limit).WaitAsync(limit) is { Outcome: not ProbeOutcome.Passed } shown) throw new UserError($"{shown.Message}.", LogsHint);
        }, "The page does not answer with the new certificate", cancellationToken);
    }

    /// <inheritdoc/>
    public Task UndoAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (!File.Exists(Old(work))) return Task.CompletedTask;
        work.Say("before the old certificate is back");
        var old = File.ReadAllBytes(Old(work));
        if (!DurableFile.Holds(certificate.Path, old)) DurableFile.Write(certificate.Path, old);
        certificate.Load();
        return Task.CompletedTask;
    }

    private Task RequireAsync(Func<CancellationToken, Task> connect, string failure, CancellationToken cancellationToken) => CredentialCommand.RetryAsync(() => TryAsync(connect, failure, cancellationToken), Within, TimeProvider.System, cancellationToken);

    /// <summary>Whatever goes wrong with a connection is a failure that can be told, and an answer that does not come is one, too.</summary>
    private async Task TryAsync(Func<CancellationToken, Task> connect, string failure, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(AnswerLimit);
        try
        {
            await connect(limit.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new UserError($"{failure} within {AnswerLimit.TotalSeconds:0.##} s.", LogsHint, e);
        }
        catch (Exception e) when (e is SocketException or AuthenticationException or IOException or HttpRequestException)
        {
            throw new UserError($"{failure}: {e.Message.TrimEnd('.')}.", LogsHint, e);
        }
    }

    private static string New(RotationWork work) => Path.Combine(work.New, PageCertificate.FileName);

    private static string Old(RotationWork work) => Path.Combine(work.Old, PageCertificate.FileName);

    private static bool Is(X509Certificate? shown, X509Certificate2 wanted) => shown is not null && shown.GetRawCertData().AsSpan().SequenceEqual(wanted.RawData);
}
