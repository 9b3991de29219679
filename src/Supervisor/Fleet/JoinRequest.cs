using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core;
using Appliance.Core.Access;

namespace Appliance.Supervisor.Fleet;

/// <summary>By what somebody joins the device to a fleet: one of the three tokens or a factory's certificate, and a server where it is not the image's.</summary>
internal sealed record JoinRequest
{
    private const int LongestToken = 512, LongestId = 256;

    /// <summary>Address of the server; null for the image's.</summary>
    public string? Server { get; init; }

    /// <summary>The tenant; null for the image's.</summary>
    public string? Tenant { get; init; }

    /// <summary>Certificates (PEM) that the server is trusted by; null for the image's, or the system's for another server.</summary>
    public string? Trust { get; init; }

    /// <summary>A token by which our server lets devices in.</summary>
    public string? EnrolmentToken { get; init; }

    /// <summary>The device's own token (DDI's TargetToken).</summary>
    public string? Token { get; init; }

    /// <summary>A gateway's token (DDI's GatewayToken).</summary>
    public string? GatewayToken { get; init; }

    /// <summary>A certificate of the factory with its key (PEM), for which the server issues one of its own; its common name is the device's id there.</summary>
    public string? Certificate { get; init; }

    /// <summary>The members by the names that bus and page have for them.</summary>
    public IEnumerable<(string Name, string? Value)> Members => [("server", Server), ("tenant", Tenant), ("trust", Trust), ("enrolmentToken", EnrolmentToken), ("token", Token), ("gatewayToken", GatewayToken), ("certificate", Certificate)];

    /// <summary>Whether a text can be a token: it goes into a header.</summary>
    public static bool IsToken(string text) => text.Length is > 0 and <= LongestToken && text.All(letter => letter is > ' ' and <= '~');

    /// <summary>The membership that comes of it.</summary>
    /// <exception cref="UserError">It makes no sense.</exception>
    public FleetMembership ToMembership()
    {
        var given = new[] { EnrolmentToken, Token, GatewayToken, Certificate }.OfType<string>().ToList();
        if (given.Count != 1) throw new UserError("One token is needed: an enrolment token, the device's own, or a gateway's; or a certificate of the factory.", "Example: appliancectl fleet join --enrolment-token-file token");
        if (Certificate is null && !IsToken(given[0])) throw new UserError($"A token is a word of at most {LongestToken} characters.");
        if (Server is { } server && !WebAddress.IsBase(server)) throw new UserError($"{server} is no address of a server.", "Example: https://fleet.example.net:8443");
        if (Tenant is { } tenant && (tenant.Length is 0 or > 64 || !tenant.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-'))) throw new UserError($"{tenant} is no name of a tenant.", "Example: default");
        if (Trust is { } trust) FleetServer.ParseTrust(trust);
        var membership = new FleetMembership { Server = Server, Tenant = Tenant, Trust = Trust, EnrolmentToken = EnrolmentToken, Token = Token ?? GatewayToken, IsGateways = GatewayToken is not null };
        return Certificate is null ? membership : WithFactorys(membership, Certificate);
    }

    private static FleetMembership WithFactorys(FleetMembership membership, string pem)
    {
        try
        {
            using var certificate = PemCertificate.Load(pem);
            var (name, key) = (certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false), pem.AsSpan()[FindKey(pem)].ToString());
            if (name.Length is 0 or > LongestId) throw new UserError("The factory's certificate has no common name that can be a device's id.");
            return membership with { DeviceId = name, IsFactorys = true, Certificate = new DeviceCredential(key, certificate.ExportCertificatePem()) };
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new UserError($"The factory's certificate cannot be used: {e.Message}", "It is a PEM file with the certificate and its private key, without a passphrase.", e);
        }
    }

    private static Range FindKey(string pem)
    {
        for (var start = 0; PemEncoding.TryFind(pem.AsSpan(start), out var found); start += found.Location.End.Value)
            if (pem.AsSpan(start)[found.Label].EndsWith("PRIVATE KEY", StringComparison.Ordinal)) return new Range(start + found.Location.Start.Value, start + found.Location.End.Value);
        throw new ArgumentException("it has no private key");
    }
}
