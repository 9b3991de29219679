namespace Appliance.Supervisor.Credentials;

/// <summary>A credential as it is used now; nothing of it is secret.</summary>
/// <param name="Title">What it is, in a few words.</param>
internal sealed record CredentialFacts(string Title)
{
    /// <summary>Since when it holds, where that is known.</summary>
    public DateTimeOffset? IssuedAt { get; init; }

    /// <summary>Until when it holds; null for one that has no end.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>By what it is told from others: a fingerprint, the name of its owner.</summary>
    public string? Identity { get; init; }
}
