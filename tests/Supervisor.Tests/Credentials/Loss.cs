namespace Supervisor.Tests.Credentials;

/// <summary>What a power cut takes of what was written and not synced.</summary>
public enum Loss
{
    /// <summary>Nothing: all of it was written back in time.</summary>
    Nothing,

    /// <summary>The content of files; their names are there.</summary>
    Content,

    /// <summary>Content and names: files that were made are gone, those that were deleted are back.</summary>
    Everything,
}
