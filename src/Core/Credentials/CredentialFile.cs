namespace Appliance.Core.Credentials;

/// <summary>
/// A file with a secret that some program uses: a key of WireGuard, a Wi-Fi passphrase, the log-in to a registry. Programs are run
/// as root, without a shell; they find the new file in <c>APPLIANCE_NEW</c> and the place of the old one in <c>APPLIANCE_PATH</c>.
/// </summary>
public sealed record CredentialFile
{
    /// <summary>What it is called: letters, digits, dots and dashes.</summary>
    public string Name { get; set; } = "";

    /// <summary>Where it is; on the data partition.</summary>
    public string Path { get; set; } = "";

    /// <summary>Its mode, octal; null for that of the file which is there, or 0600. Its owner and group are those of that file, or root.</summary>
    public string? Mode { get; set; }

    /// <summary>A program that writes a new one to <c>APPLIANCE_NEW</c>; without it, somebody brings the new one.</summary>
    public string? Make { get; set; }

    /// <summary>A program that ends with 0 when the new one works, before it takes the old one's place.</summary>
    public string? Prove { get; set; }

    /// <summary>The systemd unit that is reloaded, or restarted where it cannot be, with the new one in its place.</summary>
    public string? Reload { get; set; }

    /// <summary>A program that ends with 0 when all works with the new one in its place.</summary>
    public string? Check { get; set; }

    /// <summary>How long <see cref="Check"/> is tried before the old one comes back.</summary>
    public TimeSpan Within { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>After this long there is to be a new one; null for only when told. Needs <see cref="Make"/>.</summary>
    public TimeSpan? Every { get; set; }

    /// <summary>How long the old one stays at hand.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromDays(1);
}
