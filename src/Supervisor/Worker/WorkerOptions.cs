using Appliance.Supervisor.Hooks;

namespace Appliance.Supervisor.Worker;

/// <summary>Where the root worker finds and puts things; tests have their own places.</summary>
internal sealed record WorkerOptions
{
    /// <summary>Root of the files that are read.</summary>
    public string Root { get; init; } = "/";

    /// <summary>The worker's own folder on the data partition: trust, the journal of the installation, the trial.</summary>
    public string UpdateFolder { get; init; } = "/var/lib/appliance/update";

    /// <summary>D-Bus address, or null for the system bus.</summary>
    public string? BusAddress { get; init; }

    /// <summary>Runs the hooks.</summary>
    public HookRunner Hooks { get; init; } = new(HookRunner.DefaultFolders, HookRunner.DefaultLimit);

    /// <summary>The trial's record.</summary>
    public string TrialPath => Path.Combine(UpdateFolder, "trial.json");
}
