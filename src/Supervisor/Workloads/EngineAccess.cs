using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Systemd;
using Appliance.Supervisor.Workloads.Kubernetes;
using Appliance.Supervisor.Workloads.Podman;

namespace Appliance.Supervisor.Workloads;

/// <summary>The engine of the image, and what it holds open.</summary>
internal sealed class EngineAccess : IAsyncDisposable
{
    private const string KubeConfigPath = "/run/k3s/k3s.yaml";
    private readonly Func<ValueTask> _close;

    private EngineAccess(IWorkloadEngine engine, Func<ValueTask> close) => (Engine, _close) = (engine, close);

    /// <summary>The engine.</summary>
    public IWorkloadEngine Engine { get; }

    /// <summary>This device as a node of a cluster; null where the engine has none.</summary>
    public ClusterNode? Node { get; init; }

    /// <summary>Opens the image's engine.</summary>
    /// <exception cref="UserError">The image has none.</exception>
    /// <exception cref="EngineUnavailableException">It is not up.</exception>
    public static EngineAccess Open(string root, string? busAddress, TimeProvider time)
    {
        switch (ImageIdentity.Read(root).WorkloadsEngine)
        {
            case "podman":
                var bus = new BusConnection(busAddress);
                return new EngineAccess(new PodmanEngine(new PodmanOptions(), new Systemd1(bus), time), bus.DisposeAsync);
            case "k3s":
                // k3s writes it when its server is up, so without one nothing is known.
                if (!File.Exists(KubeConfigPath)) throw new EngineUnavailableException($"k3s is not up, or this node has no API server of its own: there is no {KubeConfigPath}");
                var api = new KubernetesApi(KubeConfig.Read(KubeConfigPath), time);
                return new EngineAccess(new KubernetesEngine(api, ContainerdImages.OfK3s(), time), () =>
                {
                    api.Dispose();
                    return ValueTask.CompletedTask;
                })
                { Node = new ClusterNode(api, ClusterNode.NameOfThis(), time) };
            default:
                throw new UserError("This image has no workload engine.", "Build it with workloads.engine in its definition, and install that.");
        }
    }

    /// <summary>An engine that is open already, and its node.</summary>
    public static EngineAccess Of(IWorkloadEngine engine, ClusterNode? node = null) => new(engine, () => ValueTask.CompletedTask) { Node = node };

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _close();
}
