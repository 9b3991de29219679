using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>
/// Pods of a broken revision that a StatefulSet waits for and never replaces, though its template is the old one again (the
/// Kubernetes documentation calls it forced rollback; kubernetes#67250).
/// </summary>
internal sealed class StuckPods(KubernetesApi api, TimeProvider time)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30), Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Deletes those of a release that is brought back; its controllers make them anew.</summary>
    public async Task DeleteAsync(WorkloadRelease release, CancellationToken cancellationToken)
    {
        foreach (var identity in release.Objects.Select(ObjectIdentity.Of).Where(identity => identity is { Group: "apps", Kind: "StatefulSet" }))
        {
            try
            {
                if (await FindObservedAsync(identity, cancellationToken) is { } set) await DeleteAsync(identity, set, cancellationToken);
            }
            catch (KubernetesError)
            {
                // What it does not let go shows when the release is proven.
            }
        }
    }

    private async Task DeleteAsync(ObjectIdentity identity, LiveObject set, CancellationToken cancellationToken)
    {
        if (set.Text("status", "updateRevision") is not { } revision || set.MatchLabels() is not { Length: > 0 } labels) return;
        foreach (var pod in (await api.ListAsync("v1", "Pod", KubernetesApi.SpaceOf(identity), labels, cancellationToken)).Select(pod => new LiveObject(pod)))
        {
            var isStuck = pod.FindCondition("Ready") is not { IsTrue: true } && pod.Text("metadata", "labels", "controller-revision-hash") != revision
                && pod.IsOwnedBy(set);
            if (isStuck && pod.Text("metadata", "name") is { } name) await api.DeleteAsync(new ObjectIdentity("v1", "Pod", KubernetesApi.SpaceOf(identity), name), cancellationToken);
        }
    }

    /// <summary>The set, once its controller has seen that it is the old one again.</summary>
    private async Task<LiveObject?> FindObservedAsync(ObjectIdentity identity, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (await api.FindAsync(identity, cancellationToken) is { } live && time.GetElapsedTime(start) < Limit)
        {
            var set = new LiveObject(live);
            if (set.Number("status", "observedGeneration") == set.Number("metadata", "generation")) return set;
            await Task.Delay(Pause, time, cancellationToken);
        }
        return null;
    }
}
