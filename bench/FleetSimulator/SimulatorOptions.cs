namespace Appliance.FleetSimulator;

/// <summary>What is simulated.</summary>
internal sealed record SimulatorOptions
{
    /// <summary>The server.</summary>
    public required Uri Server { get; init; }

    /// <summary>The token by which the devices register.</summary>
    public required string GatewayToken { get; init; }

    /// <summary>How many devices.</summary>
    public required int Devices { get; init; }

    /// <summary>How often each asks; null for as fast as the server answers.</summary>
    public TimeSpan? Interval { get; init; }

    /// <summary>Questions that are under way at once, at most.</summary>
    public int Concurrency { get; init; } = 64;

    /// <summary>Share of installations that fail, 0 to 1.</summary>
    public double Failures { get; init; }

    /// <summary>Share of the devices that are away at any time, 0 to 1.</summary>
    public double Offline { get; init; }

    /// <summary>How long it runs; it ends before when every device has installed something once.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>Whether it ends when every device has ended an installation.</summary>
    public bool UntilInstalled { get; init; }
}
