using System.Net;
using Appliance.Core.Tuf.Keys;

namespace Appliance.UpdateServer.Serve;

/// <summary>How the server runs.</summary>
internal sealed record ServeOptions
{
    private static readonly TimeSpan LongestNotice = TimeSpan.FromDays(7);

    /// <summary>Folder for the database file, uploads and the server's own certificate.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Folder of the repository that <c>appliance publish</c> writes; null hosts none.</summary>
    public string? Repository { get; init; }

    /// <summary>Address at which devices find a copy of the repository (a CDN, an object store); null for this server itself.</summary>
    public Uri? RepositoryUrl { get; init; }

    /// <summary>Keys of snapshot and timestamp, with which the server publishes into the repository what others have signed; null for a server that only hosts it.</summary>
    public KeyFolder? OnlineKeys { get; init; }

    /// <summary>Where it listens.</summary>
    public required Uri Listen { get; init; }

    /// <summary>Certificate and key (PEM); null for one of the server's own making.</summary>
    public string? Certificate { get; init; }

    /// <summary>Key of <see cref="Certificate"/> (PEM).</summary>
    public string? CertificateKey { get; init; }

    /// <summary>Authorities (PEM) by which devices are to trust this server from now on; null for what they trust it by.</summary>
    public string? ServerTrust { get; init; }

    /// <summary>Authority (PEM) whose certificates devices log in with; null for none.</summary>
    public string? DeviceAuthority { get; init; }

    /// <summary>The authority (PEM, with its key) that issues devices' certificates; null for the server's own, or none on a database that servers share.</summary>
    public string? DeviceIssuer { get; init; }

    /// <summary>How long a device's certificate holds.</summary>
    public TimeSpan CertificateLife { get; init; } = TimeSpan.FromDays(30);

    /// <summary>How long before its end a device's certificate is told of that was not renewed: devices do so when a third of its life is left.</summary>
    public TimeSpan CertificateNotice => CertificateLife / 4 < LongestNotice ? CertificateLife / 4 : LongestNotice;

    /// <summary>How long after its end a device may still renew by a certificate.</summary>
    public TimeSpan CertificateGrace { get; init; } = TimeSpan.FromDays(180);

    /// <summary>Addresses of proxies whose X-Forwarded-… and X-Ssl-Client-Cn are believed.</summary>
    public IReadOnlyList<IPAddress> Proxies { get; init; } = [];

    /// <summary>The tenant in the paths of DDI.</summary>
    public string Tenant { get; init; } = "default";

    /// <summary>How often devices ask.</summary>
    public TimeSpan Poll { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>SHA-256 of the gateway token, by which unknown devices may register; null for none.</summary>
    public byte[]? GatewayTokenHash { get; init; }

    /// <summary>Largest file that can be uploaded, in bytes.</summary>
    public long LargestUpload { get; init; } = 16L << 30;
}
