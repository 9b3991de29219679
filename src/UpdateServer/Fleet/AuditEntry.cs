namespace Appliance.UpdateServer.Fleet;

/// <summary>Who did what, when.</summary>
internal sealed class AuditEntry
{
    /// <summary>Number of the row.</summary>
    public long Id { get; set; }

    /// <summary>When.</summary>
    public DateTimeOffset At { get; set; }

    /// <summary>Name of the key, or <c>server</c> for what the server did by itself.</summary>
    public required string Who { get; set; }

    /// <summary>What was done, such as <c>rollout.start</c>.</summary>
    public required string What { get; set; }

    /// <summary>With what: <c>rollout 7</c>, <c>device edge-12</c>.</summary>
    public required string Subject { get; set; }

    /// <summary>More, in words.</summary>
    public string? Detail { get; set; }
}
