using Appliance.Core.Access;
using Appliance.Core.Credentials;

namespace Appliance.Supervisor.Credentials;

/// <summary>A credential as the surfaces show it.</summary>
internal sealed record CredentialStatus
{
    /// <summary>What it is called.</summary>
    public required string Name { get; init; }

    /// <summary>What it is, in a few words.</summary>
    public required string Title { get; init; }

    /// <summary>Since when it holds, where that is known.</summary>
    public DateTimeOffset? IssuedAt { get; init; }

    /// <summary>Until when it holds; null for one that has no end.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>By what it is told from others.</summary>
    public string? Identity { get; init; }

    /// <summary>When the device changed it last; null when it never did.</summary>
    public DateTimeOffset? RotatedAt { get; init; }

    /// <summary>When there should be a new one; null for when somebody says so.</summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>Where its rotation is.</summary>
    public RotationStep Step { get; init; }

    /// <summary>Until when the one before stays at hand.</summary>
    public DateTimeOffset? PreviousUntil { get; init; }

    /// <summary>Why the last rotation failed, or null.</summary>
    public string? Trouble { get; init; }

    /// <summary>Whether it could not be read: what is said of it is old or missing.</summary>
    public bool IsUnreadable { get; init; }

    /// <summary>Whether the device can change it by itself.</summary>
    public bool CanRotate { get; init; }

    /// <summary>Whether somebody can bring a new one.</summary>
    public bool CanSet { get; init; }

    /// <summary>Whether one that is brought is signed by somebody whom the image trusts.</summary>
    public bool IsSigned { get; init; }

    /// <summary>How there comes to be a new one, where the device cannot change it.</summary>
    public string? Renewal { get; init; }

    /// <summary>The authorities whose certificates log in; they come with the image.</summary>
    public static IReadOnlyList<CredentialStatus> OfAuthorities(ClientAuthority? clients) => [.. (clients?.Certificates ?? []).Select(authority => new CredentialStatus
    {
        Name = CredentialNames.LogInAuthority,
        Title = authority.Subject,
        ExpiresAt = authority.NotAfter.ToUniversalTime(),
        Renewal = "Bring an image with a newer one in access.clientAuthority; until then the password logs in.",
    })];

    /// <summary>The status of a credential with its rotation.</summary>
    public static CredentialStatus Of(ICredential credential, CredentialFacts facts, RotationRecord record) => new()
    {
        Name = credential.Name,
        Title = facts.Title,
        IssuedAt = facts.IssuedAt,
        ExpiresAt = facts.ExpiresAt,
        Identity = facts.Identity,
        RotatedAt = record.RotatedAt,
        DueAt = credential.DueAt(facts, record),
        Step = record.Step,
        PreviousUntil = record.Step == RotationStep.Grace ? record.RetireAt : null,
        Trouble = record.Trouble,
        CanRotate = credential.CanRotate,
        CanSet = credential.CanSet,
        IsSigned = credential.IsSigned,
    };
}
