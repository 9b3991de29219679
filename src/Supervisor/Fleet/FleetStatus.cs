namespace Appliance.Supervisor.Fleet;

/// <summary>How the device stands with its fleet's server, as the surfaces show it.</summary>
internal sealed record FleetStatus
{
    /// <summary>Where it is.</summary>
    public required FleetState State { get; init; }

    /// <summary>Address of the server, or null without one.</summary>
    public string? Server { get; init; }

    /// <summary>What the device is called there.</summary>
    public required string Device { get; init; }

    /// <summary>Why it is not as it should be, or null.</summary>
    public string? Trouble { get; init; }

    /// <summary>Since when there is trouble.</summary>
    public DateTimeOffset? TroubleSince { get; init; }

    /// <summary>When the server was last heard of.</summary>
    public DateTimeOffset? LastContact { get; init; }

    /// <summary>Until when the certificate holds by which the device is known; null while it is known by a token.</summary>
    public DateTimeOffset? CertificateUntil { get; init; }

    /// <summary>When the device's certificate began.</summary>
    public DateTimeOffset? CertificateFrom { get; init; }

    /// <summary>When the next one is due.</summary>
    public DateTimeOffset? CertificateDue { get; init; }

    /// <summary>Why there is no new certificate although it is time for one, or null.</summary>
    public string? CertificateTrouble { get; init; }

    /// <summary>What the server is trusted by, and when the first of these certificates ends; null for what the system trusts.</summary>
    public (string Name, DateTimeOffset Until)? Authority { get; init; }

    /// <summary>The assignment at hand, or the last one.</summary>
    public Assignment? Assignment { get; init; }

    /// <summary>What waits until somebody at the device agrees to it, or null.</summary>
    public UnconfirmedAssignment? Unconfirmed { get; init; }
}

/// <summary>An assignment that somebody at the device has to agree to.</summary>
/// <param name="Id">The server's number for it.</param>
/// <param name="Name">Name of the image or workload.</param>
/// <param name="Version">The version in question.</param>
/// <param name="Since">When the device heard of it.</param>
internal sealed record UnconfirmedAssignment(string Id, string Name, string Version, DateTimeOffset Since);

/// <summary>How the device stands with its fleet's server.</summary>
internal enum FleetState
{
    /// <summary>There is no server that it could join.</summary>
    None,

    /// <summary>There is a server, and the device has nothing to show there.</summary>
    NotJoined,

    /// <summary>It asks to be let in.</summary>
    Joining,

    /// <summary>It is a member and the server answers.</summary>
    Connected,

    /// <summary>It is a member and the server cannot be reached.</summary>
    Unreachable,

    /// <summary>The server does not take it for a member.</summary>
    Refused,

    /// <summary>It is a member, and cannot read by what.</summary>
    Unreadable,
}
