namespace Appliance.Supervisor.Workloads.Podman;

/// <summary>Where podman and its units are; tests have their own.</summary>
internal sealed record PodmanOptions
{
    /// <summary>The program and the arguments that come before all others. Warnings would be mixed into its JSON.</summary>
    public IReadOnlyList<string> Command { get; init; } = ["podman", "--log-level", "error"];

    /// <summary>Folder of the unit files; the image links Quadlet's folder to it, so that systemd starts them at boot without us.</summary>
    public string UnitFolder { get; init; } = "/var/lib/appliance/containers/systemd";
}
