using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Telemetry;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Findings;

/// <summary>The device at one moment, as far as findings go.</summary>
internal sealed record FindingInput
{
    /// <summary>The moment.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>When the image was made: no clock that is right shows an earlier time.</summary>
    public required DateTimeOffset Built { get; init; }

    /// <summary>Whether the clock has been set from the network since the start.</summary>
    public bool ClockSet { get; init; } = true;

    /// <summary>For how long the device is up.</summary>
    public TimeSpan Uptime { get; init; }

    /// <summary>Credentials that the device lives by.</summary>
    public IReadOnlyList<CredentialStatus> Credentials { get; init; } = [];

    /// <summary>The version that runs.</summary>
    public required string Version { get; init; }

    /// <summary>Whether dm-verity checks the root.</summary>
    public bool RootVerified { get; init; } = true;

    /// <summary>The verdict and the checks.</summary>
    public required HealthReport Health { get; init; }

    /// <summary>What the engine remembers.</summary>
    public required UpdateState Updates { get; init; }

    /// <summary>The workloads, without their objects.</summary>
    public IReadOnlyList<WorkloadStatus> Workloads { get; init; } = [];

    /// <summary>Both slots; empty while they are not known.</summary>
    public IReadOnlyList<SlotStatus> Slots { get; init; } = [];

    /// <summary>The data partition in bytes; zero while it is not known.</summary>
    public (long Total, long Free) Data { get; init; }

    /// <summary>Memory in bytes; zero when it is not known.</summary>
    public (long Total, long Available) Memory { get; init; }

    /// <summary>The hottest sensor in °C, or null.</summary>
    public double? Temperature { get; init; }

    /// <summary>Whether reports reach their collector; null when the image names none.</summary>
    public ReportDelivery? Reports { get; init; }

    /// <summary>How the device stands with its fleet's server; null where that is of no interest.</summary>
    public FleetStatus? Fleet { get; init; }

    /// <summary>What was found a moment before.</summary>
    public IReadOnlyList<Finding> Before { get; init; } = [];
}
