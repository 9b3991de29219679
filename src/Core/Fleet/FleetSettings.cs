namespace Appliance.Core.Fleet;

/// <summary>
/// The update server that a device belongs to, one that speaks Eclipse hawkBit's DDI: the content of
/// <c>/usr/lib/appliance/fleet.json</c> in its image. What its TLS certificate is trusted by lies beside it, <see cref="TrustPath"/>.
/// </summary>
/// <remarks>Set, not init: the source-generated reader would give init members that a file lacks no default.</remarks>
public sealed record FleetSettings
{
    /// <summary>Path of these settings in the image.</summary>
    public const string SettingsPath = "/usr/lib/appliance/fleet.json";

    /// <summary>Path of the certificates (PEM) that the server's is trusted by; without the file, those of the system.</summary>
    public const string TrustPath = "/usr/lib/appliance/trust/fleet.pem";

    /// <summary>Address of the server (http or https), or null for a device that belongs to none until somebody joins it to one.</summary>
    public string? Server { get; set; }

    /// <summary>The tenant in DDI's paths.</summary>
    public string Tenant { get; set; } = "default";

    /// <summary>Pause between two questions to a server that does not say how often it wants to be asked.</summary>
    public TimeSpan Poll { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The least important lines of the journal that the server gets: 0 (emergency) to 7 (debug), syslog(3); -1 for none.</summary>
    public int Log { get; set; } = 4;

    /// <summary>URL of the proxy to the server (http, without credentials), or null for none.</summary>
    public string? Proxy { get; set; }
}
