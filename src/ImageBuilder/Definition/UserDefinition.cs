namespace Appliance.ImageBuilder.Definition;

/// <summary>Somebody who may log in.</summary>
public sealed record UserDefinition
{
    /// <summary>Login name.</summary>
    public required string Name { get; init; }

    /// <summary>Supplementary groups; <c>sudo</c> and <c>appliance</c> are usual.</summary>
    public IReadOnlyList<string> Groups { get; init; } = [];

    /// <summary>Public keys in OpenSSH form. Any key brings in the SSH server, keys only.</summary>
    public IReadOnlyList<string> SshKeys { get; init; } = [];

    /// <summary>A crypt(5) hash for the console, or null for no password.</summary>
    public string? PasswordHash { get; init; }
}
