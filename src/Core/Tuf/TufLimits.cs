namespace Appliance.Core.Tuf;

/// <summary>Upper bounds on what is read from a repository, in bytes where nothing else is said; the same as python-tuf's.</summary>
public static class TufLimits
{
    /// <summary>Largest root metadata.</summary>
    public const int Root = 512_000;

    /// <summary>Largest timestamp metadata.</summary>
    public const int Timestamp = 16_384;

    /// <summary>Largest snapshot metadata.</summary>
    public const int Snapshot = 2_000_000;

    /// <summary>Largest targets metadata, delegated ones too.</summary>
    public const int Targets = 5_000_000;

    /// <summary>Deepest nesting of the JSON.</summary>
    public const int JsonDepth = 32;

    /// <summary>Most new root versions followed in one update (Y of step 5.3.3).</summary>
    public const int RootRotations = 256;

    /// <summary>Most roles visited in the search for one target (step 5.6.7.1).</summary>
    public const int VisitedRoles = 32;
}
