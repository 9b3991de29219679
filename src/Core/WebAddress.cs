namespace Appliance.Core;

/// <summary>What the addresses of servers look like.</summary>
public static class WebAddress
{
    /// <summary>Whether a text is an http or https address.</summary>
    public static bool IsWeb(string text) => Uri.TryCreate(text, UriKind.Absolute, out var address) && IsWeb(address);

    /// <summary>Whether a text is one that something is appended to: http or https, without query and fragment, and without credentials, which whoever reads it would have.</summary>
    public static bool IsBase(string text) => Uri.TryCreate(text, UriKind.Absolute, out var address) && IsWeb(address) && address is { Host.Length: > 0, UserInfo: "", Query: "", Fragment: "" };

    private static bool IsWeb(Uri address) => address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps;
}
