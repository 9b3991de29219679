namespace Appliance.Supervisor.Credentials;

/// <summary>Where k3s is, and how long it may take.</summary>
internal sealed record KubernetesOptions
{
    private const string Server = "k3s.service", Agent = "k3s-agent.service";

    /// <summary>The device was told that its node has no control plane.</summary>
    public const string AgentMark = "/etc/rancher/k3s/agent";

    /// <summary>Root of the files.</summary>
    public string Root { get; init; } = "/";

    /// <summary>What belongs to k3s is changed one by one: a copy that comes back takes the others with it.</summary>
    public const string Group = "k3s";

    /// <summary>The program.</summary>
    public string Program { get; init; } = "/usr/bin/k3s";

    /// <summary>Its unit.</summary>
    public string Unit { get; init; } = Server;

    /// <summary>Whether this node has no control plane of its own.</summary>
    public bool IsAgent => Unit == Agent;

    /// <summary>How long k3s may take to start, and its node to be ready then.</summary>
    public TimeSpan Within { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a node whose k3s has had that time may take to be ready before anything is changed.</summary>
    public TimeSpan Soon { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Those of a device. The image has both units: one of them is enabled, or it was told which.</summary>
    /// <param name="root">Root of the files.</param>
    public static KubernetesOptions Of(string root) => new() { Root = root, Unit = File.Exists(Path.Join(root, AgentMark)) || (IsEnabled(root, Agent) && !IsEnabled(root, Server)) ? Agent : Server };

    private static bool IsEnabled(string root, string unit)
    {
        var settings = Path.Join(root, "/etc/systemd/system");
        if (!Directory.Exists(settings) || new FileInfo(Path.Combine(settings, unit)).LinkTarget == "/dev/null") return false; // masked
        return Directory.EnumerateDirectories(settings, "*.wants").Any(folder => new FileInfo(Path.Combine(folder, unit)).LinkTarget is not null);
    }
}
