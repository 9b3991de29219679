using Appliance.Core;
using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>What the containers of a release printed.</summary>
internal sealed class PodLogs(KubernetesApi api)
{
    /// <summary>Reads the last lines.</summary>
    /// <param name="release">The release.</param>
    /// <param name="container">Name of a container or of a pod, or null for all.</param>
    /// <param name="lines">Most lines of each container.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="UserError">There is no such container.</exception>
    public async Task<IReadOnlyList<string>> ReadAsync(WorkloadRelease release, string? container, int lines, CancellationToken cancellationToken)
    {
        var all = new List<(ObjectIdentity Pod, string Container)>();
        try
        {
            foreach (var identity in release.Objects.Select(ObjectIdentity.Of))
                foreach (var pod in await PodsAsync(identity, cancellationToken))
                    all.AddRange(pod.List("spec", "containers").Select(item => (new ObjectIdentity("v1", "Pod", KubernetesApi.SpaceOf(identity), pod.Text("metadata", "name")!), item.Text("name")!)));
            var chosen = all.Where(found => container is null || container == found.Container || container == found.Pod.Name).ToList();
            if (chosen.Count == 0) throw new UserError(container is null ? $"The workload {release.Id} has no containers." : $"The workload {release.Id} has no container {container}.", $"It has: {(all.Count == 0 ? "none" : string.Join(", ", all.Select(found => found.Container).Distinct()))}");
            var log = new List<string>();
            foreach (var (pod, name) in chosen)
                log.AddRange((await api.ReadLogAsync(pod, name, lines, cancellationToken)).Select(line => chosen.Count == 1 ? line : $"{pod.Name} {name}: {line}"));
            return log;
        }
        catch (KubernetesError e)
        {
            throw new UserError($"The cluster does not give the logs of {release.Id}: {e.Message}", null, e);
        }
    }

    private async Task<IEnumerable<LiveObject>> PodsAsync(ObjectIdentity identity, CancellationToken cancellationToken)
    {
        var isPod = identity is { Group: "", Kind: "Pod" };
        if (!isPod && (identity.Group, identity.Kind) is not (("apps", "Deployment" or "StatefulSet" or "DaemonSet" or "ReplicaSet") or ("batch", "Job"))) return [];
        if (await api.FindAsync(identity, cancellationToken) is not { } found) return [];
        var live = new LiveObject(found);
        if (isPod) return [live];
        return live.MatchLabels() is { Length: > 0 } labels ? (await api.ListAsync("v1", "Pod", KubernetesApi.SpaceOf(identity), labels, cancellationToken)).Select(pod => new LiveObject(pod)) : [];
    }
}
