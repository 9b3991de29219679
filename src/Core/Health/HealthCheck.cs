namespace Appliance.Core.Health;

/// <summary>
/// One declared health check. Exactly one of <see cref="Unit"/>, <see cref="Http"/>, <see cref="Tcp"/> and
/// <see cref="Command"/> is set; the reader of the declaration enforces it.
/// </summary>
public sealed record HealthCheck
{
    /// <summary>Unique name, shown on the page and in logs.</summary>
    public required string Name { get; init; }

    /// <summary>A systemd unit that must be active, e.g. <c>podman.socket</c>.</summary>
    public string? Unit { get; init; }

    /// <summary>An http or https URL that must answer with a 2xx status.</summary>
    public string? Http { get; init; }

    /// <summary>A <c>host:port</c> that must accept a connection.</summary>
    public string? Tcp { get; init; }

    /// <summary>A program (absolute path) and its arguments that must exit with 0.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>Longest time one attempt may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Pause between two attempts.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>True when a failure keeps the boot from being called good; false when it is only reported.</summary>
    public bool Gate { get; init; } = true;
}
