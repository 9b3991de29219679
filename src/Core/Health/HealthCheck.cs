namespace Appliance.Core.Health;

/// <summary>One declared health check: what <see cref="Kind"/> names is set, and nothing else of the kinds; the reader enforces it.</summary>
public sealed record HealthCheck
{
    /// <summary>The check of a device whose image brings releases of workloads.</summary>
    public static readonly HealthCheck Releases = new() { Name = "releases", Workloads = true, Timeout = TimeSpan.FromMinutes(1), Interval = TimeSpan.FromMinutes(1) };

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

    /// <summary>A file system that must have room.</summary>
    public DiskRequirement? Disk { get; init; }

    /// <summary>The clock must be synchronised.</summary>
    public bool TimeSync { get; init; }

    /// <summary>The update repository must answer.</summary>
    public bool UpdateServer { get; init; }

    /// <summary>The workload engine's node must be ready.</summary>
    public bool Node { get; init; }

    /// <summary>The workloads must run.</summary>
    public bool Workloads { get; init; }

    /// <summary>Longest time one attempt may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Pause between two attempts.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Attempts in a row that must succeed before a check that does not pass does.</summary>
    public int Successes { get; init; } = 1;

    /// <summary>Attempts in a row that must fail before a check that passed does not.</summary>
    public int Failures { get; init; } = 1;

    /// <summary>True when a failure keeps the boot from being called good; false when it is only reported.</summary>
    public bool Gate { get; init; } = true;

    /// <summary>What it looks at.</summary>
    public HealthCheckKind Kind => this switch
    {
        { Unit: not null } => HealthCheckKind.Unit,
        { Http: not null } => HealthCheckKind.Http,
        { Tcp: not null } => HealthCheckKind.Tcp,
        { Command: not null } => HealthCheckKind.Command,
        { Disk: not null } => HealthCheckKind.Disk,
        { TimeSync: true } => HealthCheckKind.TimeSync,
        { UpdateServer: true } => HealthCheckKind.UpdateServer,
        { Node: true } => HealthCheckKind.Node,
        { Workloads: true } => HealthCheckKind.Workloads,
        _ => throw new InvalidOperationException($"the check {Name} looks at nothing"),
    };
}
