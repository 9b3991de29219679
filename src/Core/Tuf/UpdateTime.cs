namespace Appliance.Core.Tuf;

/// <summary>
/// The fixed update start time (5.1), and how far it can be relied on. The rule for clocks that may be wrong:
/// <list type="number">
/// <item>The time is never earlier than the floor, a moment that has certainly passed (the build of the running image).</item>
/// <item>While the clock is not known to be synchronised, an expired <em>timestamp</em> is accepted as long as it had not
/// expired at the floor. A device without network time, updated from a USB stick, needs that: a timestamp lives for days.</item>
/// <item>Nothing else gives way: root, snapshot and targets must not have expired by the clock, and signatures, versions and
/// hashes are checked as ever. A device whose clock is not set can be kept on an older state until the snapshot expires, but
/// never be taken back to one older than it has seen.</item>
/// </list>
/// </summary>
public sealed class UpdateTime
{
    private readonly DateTimeOffset _floor;
    private readonly bool _synchronised;

    /// <summary>Fixes the time.</summary>
    /// <param name="clock">What the clock says.</param>
    /// <param name="floor">A moment that has certainly passed.</param>
    /// <param name="synchronised">True when the clock is known to be right, e.g. set by NTP.</param>
    public UpdateTime(DateTimeOffset clock, DateTimeOffset floor, bool synchronised)
    {
        Now = clock > floor ? clock : floor;
        _floor = floor;
        _synchronised = synchronised;
    }

    /// <summary>The update start time.</summary>
    public DateTimeOffset Now { get; }

    internal void RequireUnexpired(SignedMetadata metadata)
    {
        // "The expiration timestamp MUST be higher than the fixed update start time" (5.3.10, 5.4.4, 5.5.6, 5.6.5)
        if (metadata.Expires > Now) return;
        if (metadata is TimestampMetadata && !_synchronised && metadata.Expires > _floor) return;
        var isTimestamp = metadata is TimestampMetadata;
        throw new UserError(
            $"{metadata.Envelope.Where} expired at {MetadataFields.FormatTime(metadata.Expires)}; it is {MetadataFields.FormatTime(Now)} here.",
            $"If this clock is wrong, set it. Otherwise the publisher has not renewed the metadata ({(isTimestamp ? "`appliance keys renew --role timestamp`" : "`appliance keys renew`")}), or somebody is holding newer metadata back.");
    }
}
