namespace Appliance.UpdateServer.Fleet;

/// <summary>A key by which a person or a program uses the management API.</summary>
internal sealed class ApiKey
{
    /// <summary>Number of the row; part of the key.</summary>
    public long Id { get; set; }

    /// <summary>Whose it is; the audit log says this name.</summary>
    public required string Name { get; set; }

    /// <summary>What it may do.</summary>
    public Access.Role Role { get; set; }

    /// <summary>SHA-256 of the secret part.</summary>
    public required byte[] Hash { get; set; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>When it ends; null for never.</summary>
    public DateTimeOffset? ExpiresAt { get; set; }

    /// <summary>The key that somebody logged in to the page with, of which this one is a session; null for a key of its own.</summary>
    public long? SessionOf { get; set; }
}
