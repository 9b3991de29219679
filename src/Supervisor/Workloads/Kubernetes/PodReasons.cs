using System.Text.Json.Nodes;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>
/// Why a workload is not ready yet: its own status has numbers, its pods have the reasons. Only the pods of its newest revision
/// count; those of the version before may be as broken as they like.
/// </summary>
internal sealed class PodReasons(KubernetesApi api, TimeProvider time)
{
    private const string RevisionAnnotation = "deployment.kubernetes.io/revision", HashLabel = "pod-template-hash", RevisionLabel = "controller-revision-hash";
    private const string DaemonGeneration = "deprecated.daemonset.template.generation", GenerationLabel = "pod-template-generation";

    /// <summary>The readiness of an object that is in progress, with what its pods say; failed when one of them is.</summary>
    public async Task<Readiness> ExplainAsync(JsonObject live, Readiness readiness, CancellationToken cancellationToken)
    {
        var found = new LiveObject(live);
        // Before its controller has seen the change, its newest revision is the old one.
        if (found.Has("metadata", "deletionTimestamp") || found.IsUnobserved) return readiness;
        if (await SelectorAsync(found, cancellationToken) is not { } selector) return readiness;
        var pods = await api.ListAsync("v1", "Pod", found.Text("metadata", "namespace"), selector, cancellationToken);
        // Pods that were evicted stay behind when others have taken their place.
        var states = pods.Where(pod => new LiveObject(pod) is var state && !state.Has("metadata", "deletionTimestamp") && state.Text("status", "phase") != "Failed").Select(pod => ObjectReadiness.Of(pod, time.GetUtcNow())).Where(state => state.State != ReadinessState.Ready).ToList();
        // A job tries again by itself and says when it has given up.
        if (found.Kind != "Job" && states.Find(state => state.State == ReadinessState.Failed) is { } failed) return Readiness.Failed(failed.Message);
        return states.Count == 0 ? readiness : readiness with { Message = $"{readiness.Message}; {states[0].Message}" };
    }

    /// <summary>Selects the pods of the newest revision; null for kinds that have none, or where it is not there yet.</summary>
    private async Task<string?> SelectorAsync(LiveObject live, CancellationToken cancellationToken) => (live.Group, live.Kind) switch
    {
        ("apps", "Deployment") => await NewestHashAsync(live, cancellationToken) is { } hash ? $"{HashLabel}={hash}" : null,
        ("apps", "StatefulSet") => live.Text("status", "updateRevision") is { } revision ? $"{RevisionLabel}={revision}" : null,
        ("apps", "DaemonSet") => live.Text("metadata", "annotations", DaemonGeneration) is { } generation && live.MatchLabels() is { Length: > 0 } labels ? $"{labels},{GenerationLabel}={generation}" : null,
        ("batch", "Job") => $"job-name={live.Text("metadata", "name")}",
        _ => null,
    };

    private async Task<string?> NewestHashAsync(LiveObject deployment, CancellationToken cancellationToken)
    {
        if (deployment.MatchLabels() is not { Length: > 0 } labels) return null;
        var sets = await api.ListAsync("apps/v1", "ReplicaSet", deployment.Text("metadata", "namespace"), labels, cancellationToken);
        return sets.Select(set => new LiveObject(set))
            .FirstOrDefault(set => set.IsOwnedBy(deployment)
                && set.Text("metadata", "annotations", RevisionAnnotation) is { } revision && revision == deployment.Text("metadata", "annotations", RevisionAnnotation))
            ?.Text("metadata", "labels", HashLabel);
    }
}
