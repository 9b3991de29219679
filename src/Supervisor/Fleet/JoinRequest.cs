using Appliance.Core;

namespace Appliance.Supervisor.Fleet;

/// <summary>By what somebody joins the device to a fleet: one of the three tokens, and a server where it is not the image's.</summary>
internal sealed record JoinRequest
{
    private const int LongestToken = 512;

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

    /// <summary>The members by the names that bus and page have for them.</summary>
    public IEnumerable<(string Name, string? Value)> Members => [("server", Server), ("tenant", Tenant), ("trust", Trust), ("enrolmentToken", EnrolmentToken), ("token", Token), ("gatewayToken", GatewayToken)];

    /// <summary>Whether a text can be a token: it goes into a header.</summary>
    public static bool IsToken(string text) => text.Length is > 0 and <= LongestToken && text.All(letter => letter is > ' ' and <= '~');

    /// <summary>The membership that comes of it.</summary>
    /// <exception cref="UserError">It makes no sense.</exception>
    public FleetMembership ToMembership()
    {
        var given = new[] { EnrolmentToken, Token, GatewayToken }.OfType<string>().ToList();
        if (given.Count != 1) throw new UserError("One token is needed: an enrolment token, the device's own, or a gateway's.", "Example: appliancectl fleet join --enrolment-token-file token");
        if (!IsToken(given[0])) throw new UserError($"A token is a word of at most {LongestToken} characters.");
        if (Server is { } server && !WebAddress.IsBase(server)) throw new UserError($"{server} is no address of a server.", "Example: https://fleet.example.net:8443");
        if (Tenant is { } tenant && (tenant.Length is 0 or > 64 || !tenant.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-'))) throw new UserError($"{tenant} is no name of a tenant.", "Example: default");
        if (Trust is { } trust) FleetServer.ParseTrust(trust);
        return new FleetMembership { Server = Server, Tenant = Tenant, Trust = Trust, EnrolmentToken = EnrolmentToken, Token = Token ?? GatewayToken, IsGateways = GatewayToken is not null };
    }
}
