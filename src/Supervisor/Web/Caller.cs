using System.Net;
using Appliance.Supervisor.Access;

namespace Appliance.Supervisor.Web;

/// <summary>Who makes a request.</summary>
/// <param name="Session">The log-in, or null.</param>
/// <param name="ByCookie">True when the browser sent it along by itself, as it also would for another site's form.</param>
/// <param name="Address">From where.</param>
internal sealed record Caller(Session? Session, bool ByCookie, IPAddress Address)
{
    /// <summary>The cookie; its prefix makes browsers keep it to this host and to TLS (RFC 6265bis, 4.1.3.2).</summary>
    public const string Cookie = "__Host-session";

    /// <summary>The field, or header, in which a form sends back its session's token.</summary>
    public const string FormField = "formToken", FormHeader = "X-Form-Token";

    private const string Bearer = "Bearer ";

    /// <summary>True for the owner; somebody who only has the setup code is not yet.</summary>
    public bool IsOwner => Session is { Setup: false };

    /// <summary>For the history and the journal.</summary>
    public string Name => $"{Session?.Name ?? "the owner"} from {Address}";

    /// <summary>Finds out who makes a request.</summary>
    public static Caller Of(HttpContext context, OwnerAccess access)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        var header = context.Request.Headers.Authorization.ToString();
        if (header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)) return new Caller(access.Find(header[Bearer.Length..].Trim()), false, address);
        return new Caller(access.Find(context.Request.Cookies[Cookie]), true, address);
    }
}
