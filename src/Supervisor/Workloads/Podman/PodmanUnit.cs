using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads.Podman;

/// <summary>An object with a pod, as Quadlet runs it.</summary>
/// <param name="Object">The object.</param>
/// <param name="Name">Name of the unit without an ending.</param>
/// <param name="Pod">Name that podman gives the pod.</param>
/// <param name="Containers">Names of its containers that go on running, or come to an end in a job.</param>
/// <param name="Ends">It is done when its containers have ended: a job, or a pod that is not restarted.</param>
/// <param name="Restarts">Containers that fail are started again.</param>
/// <param name="Content">Names what the pod is made of; podman keeps it as a label of its containers.</param>
/// <param name="Given">Names of the configuration and secrets that it is given, which podman calls volumes by.</param>
/// <param name="Yaml">The pod with what it refers to, for <c>podman kube play</c>.</param>
/// <param name="Kube">The unit file (podman-systemd.unit(5)).</param>
internal sealed record PodmanUnit(ObjectIdentity Object, string Name, string Pod, IReadOnlyList<string> Containers, bool Ends, bool Restarts, string Content, IReadOnlyList<string> Given, string Yaml, string Kube)
{
    /// <summary>The service that Quadlet makes of it.</summary>
    public string Service => Name + ".service";

    /// <summary>The file that says that it has come to its end, for what does.</summary>
    public string DoneName => PodmanUnits.DoneName(Name, Content);
}
