using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Hooks;
using Appliance.Supervisor.Secrets;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Worker;

/// <summary>Where the root worker finds and puts things; tests have their own places.</summary>
internal sealed record WorkerOptions
{
    /// <summary>Root of the files that are read.</summary>
    public string Root { get; init; } = "/";

    /// <summary>The worker's own folder on the data partition: trust, the journal of the installation, the trial.</summary>
    public string UpdateFolder { get; init; } = "/var/lib/appliance/update";

    /// <summary>Folder of the workloads' releases.</summary>
    public string WorkloadFolder { get; init; } = "/var/lib/appliance/workloads";

    /// <summary>Folder of the rotations of credentials.</summary>
    public string CredentialFolder { get; init; } = "/var/lib/appliance/credentials";

    /// <summary>The units that use credentials; null for those of systemd.</summary>
    public IUnits? Units { get; init; }

    /// <summary>For tests: called before every change of a credential on the disk.</summary>
    public Action<string>? OnCredentialStep { get; init; }

    /// <summary>By what the device is known to its fleet's server.</summary>
    public string FleetPath { get; init; } = Fleet.FleetMembershipFile.DefaultPath;

    /// <summary>Seals the secrets of the device.</summary>
    public ISecretSeal Seal { get; init; } = new SystemdCreds();

    /// <summary>How long a release of a workload may take.</summary>
    public ReleaseTiming WorkloadTiming { get; init; } = new();

    /// <summary>For tests: called before every change of a workload on the disk.</summary>
    public Action<string>? OnWorkloadStep { get; init; }

    /// <summary>D-Bus address, or null for the system bus.</summary>
    public string? BusAddress { get; init; }

    /// <summary>Runs the hooks.</summary>
    public HookRunner Hooks { get; init; } = new(HookRunner.DefaultFolders, HookRunner.DefaultLimit);

    /// <summary>The trial's record.</summary>
    public string TrialPath => Path.Combine(UpdateFolder, "trial.json");
}
