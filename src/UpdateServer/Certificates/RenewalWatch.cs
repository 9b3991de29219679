using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Microsoft.EntityFrameworkCore;
using Serilog;

namespace Appliance.UpdateServer.Certificates;

/// <summary>Counts the devices whose certificate ends soon and was not renewed, once a minute: whoever asks for the number costs the database nothing.</summary>
internal sealed class RenewalWatch(FleetDatabase database, ServeOptions options, TimeProvider time) : RepeatedWork(Pause, time)
{
    private const int NotCounted = -1;
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);
    private int _expiring = NotCounted;

    /// <summary>How many they were a minute ago at most; null before they were counted first.</summary>
    public int? Expiring => Volatile.Read(ref _expiring) is not NotCounted and var count ? count : null;

    /// <summary>Counts them.</summary>
    public Task LookAsync(CancellationToken cancellationToken) => AloneAsync(async () =>
    {
        var now = Time.GetUtcNow();
        await using var context = database.Open();
        Volatile.Write(ref _expiring, await context.WithoutRenewal(now, now + options.CertificateNotice, countsUnshown: options.Proxies.Count > 0).CountAsync(cancellationToken));
    }, cancellationToken);

    /// <inheritdoc/>
    protected override Task WorkAsync(CancellationToken cancellationToken) => LookAsync(cancellationToken);

    /// <inheritdoc/>
    protected override void NoteFailure(Exception failure) => Log.Warning("Certificates that end soon could not be counted: {Reason}", failure.Message);
}
