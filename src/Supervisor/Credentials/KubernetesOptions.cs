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

    /// <summary>How long the node may take to be ready.</summary>
    public TimeSpan Within { get; init; } = TimeSpan.FromMinutes(10);
}
