namespace Appliance.Core.Health;

/// <summary>What a declared check looks at. In declarations and on the surfaces the names begin with a small letter.</summary>
public enum HealthCheckKind
{
    /// <summary>A systemd unit is active.</summary>
    Unit,

    /// <summary>A URL answers with a 2xx status.</summary>
    Http,

    /// <summary>A port accepts a connection.</summary>
    Tcp,

    /// <summary>A program exits with 0.</summary>
    Command,

    /// <summary>A file system has room.</summary>
    Disk,

    /// <summary>The clock has been set from the network.</summary>
    TimeSync,

    /// <summary>The update repository answers.</summary>
    UpdateServer,

    /// <summary>The workload engine's node is ready.</summary>
    Node,

    /// <summary>The workloads run.</summary>
    Workloads,
}
