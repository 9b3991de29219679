namespace Appliance.Supervisor.Credentials;

/// <summary>Where k3s is, and how long it may take.</summary>
internal sealed record KubernetesOptions
{
    /// <summary>Root of the files.</summary>
    public string Root { get; init; } = "/";

    /// <summary>The program.</summary>
    public string Program { get; init; } = "/usr/bin/k3s";

    /// <summary>Its unit.</summary>
    public string Unit { get; init; } = "k3s.service";

    /// <summary>How long k3s may take to start, and its node to be ready then.</summary>
    public TimeSpan Within { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a node whose k3s has had that time may take to be ready before anything is changed.</summary>
    public TimeSpan Soon { get; init; } = TimeSpan.FromMinutes(2);
}
