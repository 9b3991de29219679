namespace Appliance.Core.Releases;

/// <summary>A patch that makes a payload from the one of an earlier version.</summary>
public sealed record PatchReference
{
    /// <summary>Version the patch starts from.</summary>
    public required string FromVersion { get; init; }

    /// <summary>SHA-256 of that version's plain payload, lower-case hex.</summary>
    public required string FromSha256 { get; init; }

    /// <summary>Size of that version's plain payload in bytes.</summary>
    public required long FromSize { get; init; }

    /// <summary>The patch.</summary>
    public required ObjectReference Patch { get; init; }
}
