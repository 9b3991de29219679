namespace Appliance.UpdateServer.Fleet;

/// <summary>A device of the fleet; a target in hawkBit's words.</summary>
internal sealed class Device
{
    /// <summary>Number of the row.</summary>
    public long Id { get; set; }

    /// <summary>What the device calls itself in every request.</summary>
    public required string ControllerId { get; set; }

    /// <summary>What people call it.</summary>
    public required string Name { get; set; }

    /// <summary>Whether it belongs to the fleet.</summary>
    public DeviceState State { get; set; }

    /// <summary>SHA-256 of its token; null when it has none of its own.</summary>
    public byte[]? TokenHash { get; set; }

    /// <summary>The enrolment token that let it in; null for one that came otherwise.</summary>
    public long? EnrolledBy { get; set; }

    /// <summary>When its certificates were revoked last: of another authority, those from before count no more.</summary>
    public DateTimeOffset? RevokedAt { get; set; }

    /// <summary>When it was registered.</summary>
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>When it last asked.</summary>
    public DateTimeOffset? LastSeenAt { get; set; }

    /// <summary>How it said last that it is.</summary>
    public DeviceHealth Health { get; set; }

    /// <summary>Why, in words.</summary>
    public string? HealthReason { get; set; }

    /// <summary>When it said so.</summary>
    public DateTimeOffset? ReportedAt { get; set; }

    /// <summary>The release that it said it has installed last.</summary>
    public long? InstalledReleaseId { get; set; }

    /// <summary>Whether it shall say its attributes again.</summary>
    public bool WantsAttributes { get; set; } = true;

    /// <summary>Whether assignments need nobody's word on the device.</summary>
    public bool ConfirmsByItself { get; set; }

    /// <summary>What it says of itself and what people say of it.</summary>
    public List<DeviceAttribute> Attributes { get; } = [];
}
