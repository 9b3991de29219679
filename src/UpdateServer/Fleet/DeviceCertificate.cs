namespace Appliance.UpdateServer.Fleet;

/// <summary>A certificate that the server issued to a device.</summary>
internal sealed class DeviceCertificate
{
    /// <summary>Number of the row.</summary>
    public long Id { get; set; }

    /// <summary>The device.</summary>
    public long DeviceId { get; set; }

    /// <summary>Serial number, in hexadecimal.</summary>
    public required string Serial { get; set; }

    /// <summary>When it was issued.</summary>
    public DateTimeOffset IssuedAt { get; set; }

    /// <summary>When it ends.</summary>
    public DateTimeOffset ExpiresAt { get; set; }

    /// <summary>When the device first showed it; null for one that it may not have.</summary>
    public DateTimeOffset? ShownAt { get; set; }

    /// <summary>Whether the device's token ends with the certificate's first use: it was issued for it.</summary>
    public bool EndsToken { get; set; }

    /// <summary>When it was revoked; null for one that holds.</summary>
    public DateTimeOffset? RevokedAt { get; set; }
}
