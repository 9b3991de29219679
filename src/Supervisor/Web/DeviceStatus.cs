namespace Appliance.Supervisor.Web;

/// <summary>What the page and <c>/api/v1/status</c> show. Sizes in bytes, times in seconds.</summary>
internal sealed record DeviceStatus
{
    public required string Hostname { get; init; }
    public required string Id { get; init; }
    public required string Version { get; init; }
    public required string Board { get; init; }
    public required string Slot { get; init; }
    public required string SlotLabel { get; init; }
    public required bool RootVerified { get; init; }
    public required string RootHash { get; init; }
    public required string BootState { get; init; }
    public required int? TriesLeft { get; init; }
    public required string Health { get; init; }
    public required IReadOnlyList<string> HealthReasons { get; init; }
    public required IReadOnlyList<DeviceCheck> Checks { get; init; }

    /// <summary>What the last restore discarded; null when there was none since a version was last kept.</summary>
    public required DeviceRestore? LastRestore { get; init; }

    /// <summary>What going back would discard while a version is on trial.</summary>
    public required DeviceLoss? RollbackDiscards { get; init; }

    public required string Workloads { get; init; }
    public required string System { get; init; }
    public required string Kernel { get; init; }
    public required long UptimeSeconds { get; init; }
    public required long MemoryTotal { get; init; }
    public required long MemoryAvailable { get; init; }
    public required long DataTotal { get; init; }
    public required long DataFree { get; init; }

    /// <summary>Runnable and running tasks, averaged over a minute.</summary>
    public required double Load { get; init; }

    public required int Processors { get; init; }

    /// <summary>The hottest sensor in °C; null without one.</summary>
    public required double? Temperature { get; init; }

    public required IReadOnlyList<string> Addresses { get; init; }
    public required DateTimeOffset Time { get; init; }

    /// <summary>Whether the clock has been set from the network since the start.</summary>
    public required bool ClockSet { get; init; }

    /// <summary>Until when the certificate of the page is good.</summary>
    public required DateTimeOffset CertificateUntil { get; init; }
}
