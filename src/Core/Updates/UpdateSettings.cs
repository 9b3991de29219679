namespace Appliance.Core.Updates;

/// <summary>
/// Where a device looks for updates: the content of <c>/usr/lib/appliance/update.json</c> in its image. What it trusts is
/// the TUF root beside it, <see cref="TrustedRootPath"/>.
/// </summary>
public sealed record UpdateSettings
{
    /// <summary>Path of these settings in the image.</summary>
    public const string SettingsPath = "/usr/lib/appliance/update.json";

    /// <summary>Path of the first trusted TUF root (<c>root.json</c>) in the image; without it a device takes no update.</summary>
    public const string TrustedRootPath = "/usr/lib/appliance/trust/root.json";

    /// <summary>URL of the repository (http, https or file), or null for a device that is only pushed to.</summary>
    public string? Url { get; init; }

    /// <summary>The channel it follows.</summary>
    public string Channel { get; init; } = "stable";
}
