using System.Net;
using System.Net.Http.Headers;
using Appliance.Core;
using Appliance.Core.Fleet;

namespace Appliance.Supervisor.Fleet;

/// <summary>A fleet's server, and by what the device is known to it.</summary>
internal sealed class FleetServer
{
    private const string TargetToken = "TargetToken", GatewayToken = "GatewayToken";
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(30), KeepAlive = TimeSpan.FromMinutes(1);

    private readonly string? _trust;
    private readonly Uri? _proxy;
    private readonly DeviceCredential? _certificate;

    private FleetServer(Uri address, string tenant, string? trust, Uri? proxy, FleetMembership membership)
    {
        (Address, Tenant, _trust, _proxy, _certificate) = (address, tenant, trust, proxy, membership.Certificate);
        Authorization = membership.Token is { } token ? new AuthenticationHeaderValue(membership.IsGateways ? GatewayToken : TargetToken, token) : null;
    }

    private FleetServer(FleetServer other, string trust) => (Address, Tenant, Authorization, _trust, _proxy, _certificate) = (other.Address, other.Tenant, other.Authorization, trust, other._proxy, other._certificate);

    /// <summary>Its address, with a slash at the end.</summary>
    public Uri Address { get; }

    /// <summary>The tenant in DDI's paths.</summary>
    public string Tenant { get; }

    /// <summary>What it is trusted by; null for what the system trusts.</summary>
    /// <exception cref="UserError">Its certificates cannot be used.</exception>
    public ServerTrust? Trust => _trust is { } pem ? ParseTrust(pem) : null;

    /// <summary>The token that proves who the device is; null before it has enrolled, and when a certificate does.</summary>
    public AuthenticationHeaderValue? Authorization { get; }

    /// <summary>The server that a device belongs to; null when there is none.</summary>
    /// <param name="settings">What the image says.</param>
    /// <param name="root">Root of the image's files.</param>
    /// <param name="membership">By what the device is known.</param>
    public static FleetServer? Of(FleetSettings settings, string root, FleetMembership? membership)
    {
        if (membership is null || (membership.Server ?? settings.Server) is not { } server) return null;
        var address = new Uri(server.EndsWith('/') ? server : server + "/");
        var stated = StatedTrust(root, membership);
        var pem = stated is not null && membership.Learned is { } learned && learned.Replaces(stated) ? learned.All : stated;
        return new FleetServer(address, membership.Tenant ?? settings.Tenant, pem, settings.Proxy is { } proxy ? new Uri(proxy) : null, membership);
    }

    /// <summary>What the join, or else the image, says that the server is trusted by; null for what the system trusts. The image's certificates are the image's server's.</summary>
    public static string? StatedTrust(string root, FleetMembership membership) => membership.Trust ?? (membership.Server is null ? ReadTrust(root) : null);

    /// <summary>The same server, trusted by these certificates alone.</summary>
    public FleetServer Trusting(string pem) => new(this, pem);

    /// <summary>Whether an address is on this server, so that it may see by what the device is known.</summary>
    public bool Hosts(Uri address) => Uri.Compare(address, Address, UriComponents.SchemeAndServer, UriFormat.UriEscaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <summary>Sets a connection up as the server wants it.</summary>
    /// <exception cref="UserError">Its certificates cannot be used.</exception>
    public void Configure(SocketsHttpHandler handler)
    {
        handler.ConnectTimeout = ConnectLimit;
        handler.AllowAutoRedirect = false; // nobody else sees by what the device is known, or is trusted as this server is
        if (Trust is { } trust) handler.SslOptions.CertificateChainPolicy = trust.Policy();
        if (_certificate is { } certificate) handler.SslOptions.ClientCertificates = [certificate.Load()];
        if (_proxy is { } proxy) handler.Proxy = new WebProxy(proxy);
    }

    /// <summary>A client whose connections notice when the other side is gone.</summary>
    /// <exception cref="UserError">The server's certificates cannot be used.</exception>
    public HttpClient CreateClient(int largestAnswer, bool withToken = true)
    {
        var handler = new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(30), KeepAlivePingDelay = KeepAlive, KeepAlivePingTimeout = ConnectLimit };
        Configure(handler);
        var client = new HttpClient(handler) { Timeout = KeepAlive, MaxResponseContentBufferSize = largestAnswer };
        client.DefaultRequestHeaders.UserAgent.ParseAdd("appliance-supervisor/1");
        if (withToken) client.DefaultRequestHeaders.Authorization = Authorization;
        return client;
    }

    /// <summary>Checks certificates that somebody gives.</summary>
    /// <exception cref="UserError">They cannot be used.</exception>
    public static ServerTrust ParseTrust(string pem)
    {
        try
        {
            return ServerTrust.Parse(pem);
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"The server's certificates cannot be used: {e.Message}.", "They are a PEM file with the certificate of the server's authority, or its own.", e);
        }
    }

    private static string? ReadTrust(string root)
    {
        var path = Path.Join(root, FleetSettings.TrustPath);
        return File.Exists(path) ? File.ReadAllText(path) : null;
    }
}
