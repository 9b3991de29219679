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
    private DeviceCredential? _refused;

    /// <summary>Why there is no new certificate although it is time for one, or null.</summary>
    public string? Trouble { get; private set; }

    /// <summary>The membership as it came to be on the disk, also where the last step failed on its way.</summary>
    public FleetMembership? Reached { get; private set; }

    private TimeSpan Now => clock.GetElapsedTime(_start);

    /// <summary>When the next certificate is due: after two thirds of the life of the one that holds, each device at a moment of its own.</summary>
    public static DateTimeOffset DueAt(DeviceCredential credential)
    {
        using var certificate = credential.Read();
        var (from, until) = (new DateTimeOffset(certificate.NotBefore.ToUniversalTime()), new DateTimeOffset(certificate.NotAfter.ToUniversalTime()));
        var share = SHA256.HashData(certificate.RawDataMemory.Span)[0] / 255.0; // the same after every restart
        return from + ((until - from) * ((2.0 / 3) + (share * 0.1)));
    }

    /// <summary>The device is known by something else from now on, or by nothing: what was found out before does not concern it.</summary>
    public void Reset()
    {
        (_notBefore, _refused, Trouble, Reached) = (TimeSpan.Zero, null, null, null);
        _backoff.Reset();
    }

    /// <summary>The next certificate is wanted now, whenever it is due; it is on the disk when this returns.</summary>
    /// <param name="membership">The membership.</param>
    /// <param name="isEmergency">Whether the one before goes at once.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">It cannot be sealed.</exception>
    public async Task<FleetMembership> WantAsync(FleetMembership membership, bool isEmergency, CancellationToken cancellationToken)
    {
        (Reached, _notBefore) = (membership, TimeSpan.Zero);
        // Who has the device's key may have one, too, that was made before somebody knew.
        var wanted = isEmergency ? membership with { Wish = CertificateWish.Emergency, Next = null } : membership with { Wish = membership.Wish == CertificateWish.Emergency ? CertificateWish.Emergency : CertificateWish.Now };
        return wanted == membership ? membership : await NoteAsync(wanted, cancellationToken);
    }

    /// <summary>The next certificate is wanted when it is due, and no sooner; an emergency stays one.</summary>
    /// <exception cref="UserError">It cannot be sealed.</exception>
    public async Task<FleetMembership> WithdrawAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        Reached = membership;
        return membership.Wish == CertificateWish.Now && !IsFirst(membership) ? await NoteAsync(membership with { Wish = CertificateWish.WhenDue, Next = null }, cancellationToken) : membership;
    }

    /// <summary>The server does not take a certificate: it may have ended by the server's clock when it has not by the device's. The next one is due, which is how the server says what it is.</summary>
    public void NoteRefusal(DeviceCredential? held) => _refused = held;

    /// <summary>Does what is due.</summary>
    /// <param name="membership">The membership.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The membership as it is then.</returns>
    /// <exception cref="DdiException">The server does not play along; what held before holds.</exception>
    /// <exception cref="UserError">A key cannot be sealed; what held before holds.</exception>
    /// <exception cref="IOException">The membership cannot be written; what held before holds.</exception>
    public async Task<FleetMembership> AdvanceAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        Reached = membership;
        if (Now < _notBefore) return membership;
        try
        {
            if (membership is { IsPreviousNewer: false, PreviousUntil: { } end } && clock.GetUtcNow() >= end) membership = await NoteAsync(membership with { Previous = null, PreviousUntil = null, IsPreviousFactorys = false }, cancellationToken);
            if (!IsDue(membership) || open(membership) is not { } server || server.Address.Scheme != Uri.UriSchemeHttps) return membership;
            if (membership.Next is { } left && !IsUsable(left, membership)) membership = await NoteAsync(membership with { Next = null }, cancellationToken);
            if (membership.Next is null) membership = await NoteAsync(membership with { Next = DeviceCredential.Create(IdOf(membership)) }, cancellationToken);
            if (!membership.Next!.IsIssued) membership = await EnrolAsync(membership, cancellationToken);
            membership = await SwitchAsync(membership, cancellationToken);
            Trouble = null;
            _backoff.Reset();
            return membership;
        }
        catch (DdiException e) when (e.Fault == DdiFault.Gone && IsFirst(membership) && membership is not { Next.IsIssued: true })
        {
            _notBefore = Now + AskAgain; // a server without EST; the token does, or the factory's certificate
            return membership;
        }
        catch (Exception e) when (e is DdiException or CryptographicException or ArgumentException or UserError or IOException or UnauthorizedAccessException)
        {
            Trouble = e.Message.TrimEnd('.');
            _notBefore = Now + _backoff.Next((e as DdiException)?.RetryAfter);
            throw;
        }
    }

    /// <summary>The server does not take the certificate that holds. Where it takes the one before, the two change places: the newer one stays at hand, too.</summary>
    /// <param name="membership">The membership.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The membership as it is then; the same where there is no way back.</returns>
    /// <exception cref="DdiException">The server does not take that one either, or does not answer.</exception>
    /// <exception cref="UserError">The membership cannot be sealed.</exception>
    public async Task<FleetMembership> GoBackAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        Reached = membership;
        if (membership.Previous is not { } previous || HasEnded(previous)) return membership;
        var back = membership with { Certificate = previous, IsFactorys = membership.IsPreviousFactorys, Previous = membership.Certificate, IsPreviousFactorys = membership.IsFactorys, IsPreviousNewer = !membership.IsPreviousNewer };
        await AskAsync(back, cancellationToken);
        await NoteAsync(back, cancellationToken);
        Log.Warning("The server does not take the device's {Age} certificate, and takes the one before", back.IsPreviousNewer ? "new" : "old");
        return back;
    }

    /// <summary>Whether the device was known by no certificate of the server's own before.</summary>
    private static bool IsFirst(FleetMembership membership) => membership.Certificate is null || membership.IsFactorys;

    /// <summary>What was begun is gone on with.</summary>
    private bool IsDue(FleetMembership membership) => membership.Certificate is { } held
        ? membership.Next is not null || membership.Wish != CertificateWish.WhenDue || membership.IsFactorys || held == _refused || clock.GetUtcNow() >= DueAt(held)
        : membership is { Token: not null, IsGateways: false };

    /// <summary>Whether a certificate has ended, as far as the device can know.</summary>
    private bool HasEnded(DeviceCredential credential)
    {
        using var certificate = credential.Read();
        return clock.IsSet && clock.GetUtcNow() >= certificate.NotAfter.ToUniversalTime();
    }

    /// <summary>Whether what was begun can be gone on with: it is whole, and has not ended meanwhile. A first one may be all that the server still takes, and it says itself whether that has ended.</summary>
    private bool IsUsable(DeviceCredential next, FleetMembership membership)
    {
        try
        {
            using var key = next.ReadKey();
            if (!next.IsIssued) return next.Request is { } request && Convert.FromBase64String(request).Length > 0; // earlier versions kept none
            using var certificate = next.Read();
            return IsFirst(membership) || clock.GetUtcNow() < certificate.NotAfter.ToUniversalTime();
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or FormatException)
        {
            return false;
        }
    }

    private async Task<FleetMembership> EnrolAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        try
        {
            return await NoteAsync(membership with { Next = await IssueAsync(membership, membership.Next!, cancellationToken) }, cancellationToken);
        }
        catch (InvalidDataException e)
        {
            await NoteAsync(membership with { Next = null }, cancellationToken); // another key the next time
            throw new DdiException(DdiFault.Unreachable, e.Message, inner: e);
        }
    }

    /// <summary>Gets the certificate of a key, for what the device holds.</summary>
    /// <exception cref="DdiException">There is none.</exception>
    /// <exception cref="InvalidDataException">What was issued cannot be used.</exception>
    private async Task<DeviceCredential> IssueAsync(FleetMembership held, DeviceCredential next, CancellationToken cancellationToken)
    {
        var request = Convert.FromBase64String(next.Request!);
        using var est = new EstClient(open(held)!);
        var issued = held switch
        {
            { IsFactorys: true } => await est.EnrolAsync(request, cancellationToken),
            { Certificate: not null } => await est.RenewAsync(request, cancellationToken),
            _ => await est.EnrolAsync(IdOf(held), held.Token!, request, cancellationToken),
        };
        try
        {
            return next.With(issued, IdOf(held), clock);
        }
        catch (Exception e) when (e is InvalidDataException or CryptographicException)
        {
            throw new InvalidDataException($"the certificate that it issued cannot be used: {e.Message}", e);
        }
        finally
        {
            foreach (var certificate in issued) certificate.Dispose();
        }
    }

    /// <summary>Speaks to the server by the new certificate, and by nothing else; when that works it takes the place of what was before.</summary>
    private async Task<FleetMembership> SwitchAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        var keeps = membership is { Certificate: not null, Wish: not CertificateWish.Emergency };
        var switched = membership with
        {
            Certificate = membership.Next,
            Next = null,
            Token = null,
            IsFactorys = false,
            Wish = CertificateWish.WhenDue,
            Previous = keeps ? membership.Certificate : null,
            PreviousUntil = keeps ? clock.GetUtcNow() + Grace : null,
            IsPreviousFactorys = keeps && membership.IsFactorys,
            IsPreviousNewer = false,
        };
        // By the proof a server ends the token: what can fail after it is one write, and what was written before it is proved again.
        var record = await file.SealAsync(switched, cancellationToken);
        try
        {
            await AskAsync(switched, cancellationToken);
        }
        catch (DdiException e) when (e.Fault is DdiFault.Refused)
        {
            if (await HoldsAsync(membership, cancellationToken)) await NoteAsync(membership with { Next = null }, cancellationToken); // another key the next time
            else await ReplaceAsync(membership, cancellationToken);
            throw new DdiException(e.Fault, $"it does not take the certificate that it issued: {e.Message}", inner: e);
        }
        file.Write(record);
        Log.Information("The device is known to the server by a certificate now");
        return Reached = switched;
    }

    /// <summary>Whether what the device was known by before is still worth something: a certificate gets another one even when it has ended, but a token ends with the first proof.</summary>
    private async Task<bool> HoldsAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        if (!IsFirst(membership)) return true;
        try
        {
            await AskAsync(membership, cancellationToken);
            return true;
        }
        catch (DdiException e) when (e.Fault == DdiFault.Refused)
        {
            return false;
        }
    }

    /// <summary>
    /// The server takes neither the new certificate nor what was before it: the one may have ended, the other with the first proof. What
    /// still gets another certificate is what holds; where nothing does, everything is kept.
    /// </summary>
    private async Task ReplaceAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        FleetMembership renewing = membership with { Certificate = membership.Next, Token = null, IsFactorys = false }, beginning = membership;
        foreach (var held in membership.IsFactorys ? [renewing, beginning] : new[] { renewing })
        {
            try
            {
                await NoteAsync(held with { Next = await IssueAsync(held, DeviceCredential.Create(IdOf(held)), cancellationToken) }, cancellationToken);
                return;
            }
            catch (Exception e) when (e is DdiException { Fault: not DdiFault.Unreachable } or InvalidDataException)
            {
                Log.Debug("There is no other certificate either: {Reason}", e.Message);
            }
        }
    }

    private async Task AskAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        using var client = new DdiClient(open(membership)!, IdOf(membership), clock);
        await client.AskAsync(cancellationToken);
    }

    private string IdOf(FleetMembership membership) => membership.DeviceId ?? ownId;

    private async Task<FleetMembership> NoteAsync(FleetMembership next, CancellationToken cancellationToken)
    {
        await file.WriteAsync(next, cancellationToken);
        return Reached = next;
    }
}
