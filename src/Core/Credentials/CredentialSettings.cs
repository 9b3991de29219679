namespace Appliance.Core.Credentials;

/// <summary>Credentials that an image has the supervisor look after: the content of <c>/usr/lib/appliance/credentials.json</c>.</summary>
/// <remarks>Set, not init: the source-generated reader would give init members that a file lacks no default.</remarks>
public sealed record CredentialSettings
{
    /// <summary>Path of these settings in the image.</summary>
    public const string SettingsPath = "/usr/lib/appliance/credentials.json";

    /// <summary>Most bytes of a credential that somebody brings.</summary>
    public const int LargestGiven = 32 << 10;

    /// <summary>Files with secrets.</summary>
    public IReadOnlyList<CredentialFile> Files { get; set; } = [];

    /// <summary>Public keys, in OpenSSH form, of those who may sign lists of people's SSH keys (<see cref="AuthorizedKeys"/>).</summary>
    public IReadOnlyList<string> SshSigners { get; set; } = [];

    /// <summary>After this the owner's password is good for setting the next one, and for nothing else; null for never.</summary>
    public TimeSpan? Password { get; set; }
}
