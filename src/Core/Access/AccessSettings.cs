using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Appliance.Core.Access;

/// <summary>Where the status page listens: the content of <c>/usr/lib/appliance/access.json</c> in an image.</summary>
/// <remarks>Set, not init: the source-generated reader would give init members that a file lacks no default.</remarks>
public sealed record AccessSettings
{
    /// <summary>Path of these settings in the image.</summary>
    public const string SettingsPath = "/usr/lib/appliance/access.json";

    /// <summary>Address and port, <c>192.0.2.7:443</c> or <c>[::]:8443</c>.</summary>
    public string Listen { get; set; } = "[::]:443";

    /// <summary>Reads an address and port; the address need not be one that the machine has yet.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out IPEndPoint? endpoint) => IPEndPoint.TryParse(text, out endpoint) && endpoint.Port > 0;
}
