using System.Security.Cryptography;
using Appliance.Core;
using Appliance.Supervisor.Device;
using Serilog;

namespace Appliance.Supervisor.Fleet;

/// <summary>
/// Gives the device a certificate, and the next one in time: a new key is made, its certificate issued beside the old one, proved by a
/// connection with it, and only then put in the old one's place, which stays for a while. Each step is one write of the membership;
/// wherever it stops, what the device was known by goes on to hold.
/// </summary>
/// <param name="file">The membership.</param>
/// <param name="ownId">What the device is called where nothing else is said.</param>
/// <param name="open">Makes the server of a membership.</param>
/// <param name="clock">The device's clock.</param>
internal sealed class CertificateRotation(FleetMembershipFile file, string ownId, Func<FleetMembership, FleetServer?> open, DeviceClock clock)
{
    /// <summary>How long the one before stays at hand.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromDays(1);

    private static readonly TimeSpan AskAgain = TimeSpan.FromDays(1), Retry = TimeSpan.FromMinutes(10), LongestRetry = TimeSpan.FromHours(6);

    private readonly long _start = clock.GetTimestamp();
    private readonly Backoff _backoff = new(Retry, LongestRetry);
    private TimeSpan _notBefore;
    private bool _isWanted, _isEmergency;
    private DeviceCredential? _refused;

    /// <summary>Why there is no new certificate although it is time for one, or null.</summary>
    public string? Trouble { get; private set; }

    /// <summary>The membership as it came to be on the disk, also where the last advance failed on its way.</summary>
    public FleetMembership? Reached { get; private set; }

    /// <summary>When the next certificate is due: after two thirds of the life of the one that holds, each device at a moment of its own.</summary>
    public static DateTimeOffset DueAt(DeviceCredential credential)
    {
        using var certificate = credential.Read();
        var (from, until) = (new DateTimeOffset(certificate.NotBefore.ToUniversalTime()), new DateTimeOffset(certificate.NotAfter.ToUniversalTime()));
        var share = SHA256.HashData(certificate.RawDataMemory.Span)[0] / 255.0; // the same after every restart
        return from + ((until - from) * ((2.0 / 3) + (share * 0.1)));
    }

    /// <summary>The next certificate is wanted now, whenever it is due.</summary>
    /// <param name="isEmergency">Whether the one before goes at once.</param>
    public void Want(bool isEmergency) => (_isWanted, _isEmergency, _notBefore) = (true, isEmergency, TimeSpan.Zero);

    /// <summary>The server does not take a certificate: it may have ended by the server's clock when it has not by the device's. The next one is due, which is how the server says what it is.</summary>
    public void NoteRefusal(DeviceCredential? held) => _refused = held;

    /// <summary>Does what is due.</summary>
    /// <param name="membership">The membership.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The membership as it is then.</returns>
    /// <exception cref="DdiException">The server does not play along; what held before holds.</exception>
    /// <exception cref="UserError">A key cannot be sealed; what held before holds.</exception>
    public async Task<FleetMembership> AdvanceAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        Reached = membership;
        if (membership is { PreviousUntil: { } end } && clock.GetUtcNow() >= end) membership = await NoteAsync(membership with { Previous = null, PreviousUntil = null }, cancellationToken);
        if (clock.GetElapsedTime(_start) < _notBefore || !IsDue(membership) || open(membership) is not { } server || server.Address.Scheme != Uri.UriSchemeHttps) return membership;
        try
        {
            if (membership.Next is { } left && !IsUsable(left)) membership = await NoteAsync(membership with { Next = null }, cancellationToken);
            if (membership.Next is null) membership = await NoteAsync(membership with { Next = DeviceCredential.Create(IdOf(membership)) }, cancellationToken);
            if (!membership.Next!.IsIssued) membership = await NoteAsync(membership with { Next = await IssueAsync(membership, server, cancellationToken) }, cancellationToken);
            membership = await SwitchAsync(membership, cancellationToken);
            (Trouble, _isWanted, _isEmergency) = (null, false, false);
            _backoff.Reset();
            return membership;
        }
        catch (DdiException e) when (e.Fault == DdiFault.Gone && (membership.Certificate is null || membership.IsFactorys))
        {
            _notBefore = clock.GetElapsedTime(_start) + AskAgain; // a server without EST; the token does, or the factory's certificate
            return membership;
        }
        catch (Exception e) when (e is DdiException or CryptographicException or ArgumentException or UserError)
        {
            Trouble = e.Message.TrimEnd('.');
            _notBefore = clock.GetElapsedTime(_start) + _backoff.Next((e as DdiException)?.RetryAfter);
            throw;
        }
    }

    private bool IsDue(FleetMembership membership) => membership.Certificate is { } held ? _isWanted || membership.IsFactorys || held == _refused || clock.GetUtcNow() >= DueAt(held) : membership is { Token: not null, IsGateways: false };

    /// <summary>Whether what was begun can be gone on with: it is whole, and has not ended meanwhile.</summary>
    private bool IsUsable(DeviceCredential next)
    {
        try
        {
            using var key = next.ReadKey();
            if (!next.IsIssued) return next.Request is { } request && Convert.FromBase64String(request).Length > 0; // earlier versions kept none
            using var certificate = next.Read();
            return clock.GetUtcNow() < certificate.NotAfter.ToUniversalTime();
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or FormatException)
        {
            return false;
        }
    }

    private async Task<DeviceCredential> IssueAsync(FleetMembership membership, FleetServer server, CancellationToken cancellationToken)
    {
        var next = membership.Next!;
        var request = Convert.FromBase64String(next.Request!);
        using var est = new EstClient(server);
        var issued = membership switch
        {
            { IsFactorys: true } => await est.EnrolAsync(request, cancellationToken),
            { Certificate: not null } => await est.RenewAsync(request, cancellationToken),
            _ => await est.EnrolAsync(IdOf(membership), membership.Token!, request, cancellationToken),
        };
        try
        {
            return next.With(issued, IdOf(membership), clock);
        }
        catch (Exception e) when (e is InvalidDataException or CryptographicException)
        {
            await NoteAsync(membership with { Next = null }, cancellationToken); // another key the next time
            throw new DdiException(DdiFault.Unreachable, $"the certificate that it issued cannot be used: {e.Message}", inner: e);
        }
        finally
        {
            foreach (var certificate in issued) certificate.Dispose();
        }
    }

    /// <summary>Speaks to the server by the new certificate, and by nothing else; when that works it takes the place of what was before.</summary>
    private async Task<FleetMembership> SwitchAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        var switched = membership with { Certificate = membership.Next, Next = null, Token = null, IsFactorys = false, Previous = _isEmergency ? null : membership.Certificate, PreviousUntil = _isEmergency || membership.Certificate is null ? null : clock.GetUtcNow() + Grace };
        try
        {
            using var client = new DdiClient(open(switched)!, IdOf(membership), clock);
            await client.AskAsync(cancellationToken);
        }
        catch (DdiException e) when (e.Fault is DdiFault.Refused)
        {
            await NoteAsync(membership with { Next = null }, cancellationToken); // another key the next time
            throw new DdiException(e.Fault, $"it does not take the certificate that it issued: {e.Message}", inner: e);
        }
        await NoteAsync(switched, cancellationToken);
        Log.Information("The device is known to the server by a certificate now");
        return switched;
    }

    private string IdOf(FleetMembership membership) => membership.DeviceId ?? ownId;

    private async Task<FleetMembership> NoteAsync(FleetMembership next, CancellationToken cancellationToken)
    {
        await file.WriteAsync(next, cancellationToken);
        return Reached = next;
    }
}
