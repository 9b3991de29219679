namespace Appliance.Core.Updates;

/// <summary>
/// Where a device looks for updates: the content of <c>/usr/lib/appliance/update.json</c> in its image. What it trusts is
/// the TUF root beside it, <see cref="TrustedRootPath"/>.
/// </summary>
/// <remarks>Set, not init: the source-generated reader would give init members that a file lacks no default.</remarks>
public sealed record UpdateSettings
{
    /// <summary>Path of these settings in the image.</summary>
    public const string SettingsPath = "/usr/lib/appliance/update.json";

    /// <summary>Path of the first trusted TUF root (<c>root.json</c>) in the image; without it a device takes no update.</summary>
    public const string TrustedRootPath = "/usr/lib/appliance/trust/root.json";

    /// <summary>URL of the repository (http, https or file), or null for a device that is only pushed to.</summary>
    public string? Url { get; set; }

    /// <summary>The channel it follows.</summary>
    public string Channel { get; set; } = "stable";

    /// <summary>Pause between two looks into the repository; every pause is drawn at random around it.</summary>
    public TimeSpan Check { get; set; } = TimeSpan.FromHours(1);

    /// <summary>True installs what a look finds; false waits until somebody asks for it.</summary>
    public bool Install { get; set; } = true;

    /// <summary>True restarts into an installed version by itself, in a window; false waits until somebody does.</summary>
    public bool Reboot { get; set; } = true;

    /// <summary>When the device may restart by itself, as <see cref="MaintenanceWindow"/> reads them; none means at any time.</summary>
    public IReadOnlyList<string> Windows { get; set; } = [];

    /// <summary>Most bytes a second that a download may take, or null for as many as come.</summary>
    public long? BytesPerSecond { get; set; }

    /// <summary>URL of the proxy to the repository (http, without credentials), or null for none.</summary>
    public string? Proxy { get; set; }

    /// <summary>True installs a signed bundle from a USB stick that is put in.</summary>
    public bool Usb { get; set; }

    /// <summary>Ids of the workloads that it takes from its channel by itself; those that are here are followed anyway.</summary>
    public IReadOnlyList<string> Workloads { get; set; } = [];

    /// <summary>Longest that pods are waited for which a restart sends to other nodes of the cluster; zero sends none.</summary>
    public TimeSpan Drain { get; set; } = TimeSpan.FromMinutes(2);
}
