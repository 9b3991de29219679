using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>
/// Releases on Kubernetes: objects are tried as a whole first (dry run), applied in waves by server-side apply, and deleted
/// only where our label says that they are this workload's.
/// </summary>
internal sealed class KubernetesEngine(KubernetesApi api, ContainerdImages images, TimeProvider time) : IWorkloadEngine
{
    /// <summary>Label of every object: the workload it belongs to.</summary>
    public const string WorkloadLabel = "appliance.io/workload";

    /// <summary>Annotation that says whether an object may be deleted: <c>true</c> also for what holds data, <c>false</c> never.</summary>
    public const string PruneAnnotation = "appliance.io/prune";

    /// <summary>Annotation of an object that is for one engine alone: <c>k3s</c> or <c>podman</c>.</summary>
    public const string EngineAnnotation = "appliance.io/engine";

    private const string Engine = "k3s";
    private const int MostFaultsShown = 10;
    private static readonly TimeSpan DefinitionLimit = TimeSpan.FromMinutes(1), GoneLimit = TimeSpan.FromMinutes(1), Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Deleting one of these deletes data or other people's objects.</summary>
    private static readonly string[] HoldData = ["Namespace", "PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition"];

    /// <inheritdoc/>
    public async Task CheckAsync(WorkloadRelease release, CancellationToken cancellationToken)
    {
        await api.RequireReadyAsync(cancellationToken);
        var faults = new List<string>();
        foreach (var manifest in Ordered(release))
        {
            var identity = ObjectIdentity.Of(manifest);
            try
            {
                if (await IsMadePossibleByAsync(release, identity, cancellationToken)) continue;
                if (await IsSomebodyElsesAsync(release, identity, cancellationToken)) faults.Add($"{identity}: it is there already and is not this workload's; delete it, or hand it over with the label {WorkloadLabel}={release.Id}");
                else await api.ApplyAsync(manifest, ManagerOf(release), dryRun: true, force: false, cancellationToken);
            }
            catch (KubernetesError e) when (!IsReplaced(identity, e))
            {
                faults.Add($"{identity}: {e.Message}");
            }
            catch (KubernetesError)
            {
                // It is made anew.
            }
        }
        if (faults.Count == 0) return;
        throw new UserError($"The cluster refuses {release.Id} {release.Version}; nothing was changed.{FaultLines.Of(faults, MostFaultsShown)}",
            faults.Exists(fault => fault.Contains("conflict", StringComparison.OrdinalIgnoreCase)) ? "Of a conflict: somebody else manages the field. Leave it out of the manifest (replicas, when an autoscaler sets them), or have the other let go of it." : "Correct the manifests, and publish them as a new version.");
    }

    /// <inheritdoc/>
    public async Task ApplyAsync(WorkloadRelease release, bool force, CancellationToken cancellationToken)
    {
        await api.RequireReadyAsync(cancellationToken);
        var faults = new List<string>();
        foreach (var wave in Ordered(release).GroupBy(manifest => ApplyOrder.WaveOf(ObjectIdentity.Of(manifest))))
        {
            foreach (var manifest in wave) await TryAsync(manifest, () => ApplyAsync(release, manifest, force, cancellationToken));
            foreach (var manifest in wave.Where(IsDefinition)) await TryAsync(manifest, () => WaitForDefinitionAsync(manifest, cancellationToken));
        }
        if (force) await new StuckPods(api, time).DeleteAsync(release, cancellationToken);
        if (faults.Count > 0) throw new UserError($"The cluster refuses {string.Join("; ", faults.Take(MostFaultsShown))}", "Correct the manifests, and publish them as a new version.");

        // What is brought back comes back as far as it can.
        async Task TryAsync(JsonObject manifest, Func<Task> step)
        {
            try
            {
                await step();
            }
            catch (Exception e) when (e is KubernetesError || e is UserError && force)
            {
                faults.Add($"{ObjectIdentity.Of(manifest)} of {release.Id} {release.Version}: {e.Message}");
                if (!force) throw new UserError($"The cluster refuses {faults[0]}", "Correct the manifest, and publish it as a new version.", e);
            }
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ObjectStatus>> ReadStatusAsync(WorkloadRelease release, CancellationToken cancellationToken)
    {
        var pods = new PodReasons(api, time);
        var found = new List<ObjectStatus>();
        foreach (var manifest in Ordered(release))
            found.Add(new ObjectStatus(ObjectIdentity.Of(manifest), await ReadAsync(manifest)));
        return found;

        async Task<Readiness> ReadAsync(JsonObject manifest)
        {
            try
            {
                if (await api.FindAsync(ObjectIdentity.Of(manifest), cancellationToken) is not { } live) return GoesWhenDone(manifest) ? Readiness.Ready("completed, and gone as asked") : Readiness.Failed("it is not there");
                var readiness = ObjectReadiness.Of(live, time.GetUtcNow());
                return readiness.State == ReadinessState.InProgress ? await pods.ExplainAsync(live, readiness, cancellationToken) : readiness;
            }
            catch (KubernetesError e)
            {
                return Readiness.Failed(e.Message);
            }
        }
    }

    /// <inheritdoc/>
    public async Task<PrunedObjects> PruneAsync(WorkloadRelease gone, WorkloadRelease? kept, CancellationToken cancellationToken)
    {
        var staying = new HashSet<(string, string, string, string)>();
        var (deleted, left) = (new List<ObjectIdentity>(), new List<(ObjectIdentity, string)>());
        try
        {
            foreach (var identity in kept is null ? [] : Ordered(kept).Select(ObjectIdentity.Of)) staying.Add(await api.KeyOfAsync(identity, cancellationToken));
        }
        catch (KubernetesError e)
        {
            throw new UserError($"The cluster does not say what {gone.Id} has: {e.Message}", null, e);
        }
        foreach (var identity in Ordered(gone).Select(ObjectIdentity.Of).Reverse())
        {
            try
            {
                if (staying.Contains(await api.KeyOfAsync(identity, cancellationToken))) continue;
                if (await api.FindAsync(identity, cancellationToken) is not { } live) continue;
                if (WhyKept(identity, new LiveObject(live), gone.Id) is { } reason) left.Add((identity, reason));
                else if (await api.DeleteAsync(identity, cancellationToken)) deleted.Add(identity);
            }
            catch (KubernetesError e)
            {
                left.Add((identity, e.Message));
            }
        }
        return new PrunedObjects(deleted, left);
    }

    /// <inheritdoc/>
    public Task ImportAsync(WorkloadRelease release, string payload, CancellationToken cancellationToken) => images.ImportAsync(release, payload, cancellationToken);

    /// <inheritdoc/>
    public Task ForgetImagesAsync(IReadOnlyCollection<string> names, CancellationToken cancellationToken) => images.ForgetAsync(names, cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ReadLogAsync(WorkloadRelease release, string? container, int lines, CancellationToken cancellationToken) => new PodLogs(api).ReadAsync(release, container, lines, cancellationToken);

    private static string? WhyKept(ObjectIdentity identity, LiveObject live, string workload)
    {
        // Several workloads may share a namespace, so that is nobody's; the annotation is enough.
        if (identity.Kind != "Namespace" && live.Text("metadata", "labels", WorkloadLabel) != workload) return $"it does not carry the label {WorkloadLabel}={workload}, so it is somebody else's";
        return live.Text("metadata", "annotations", PruneAnnotation) switch
        {
            "true" => null,
            "false" => $"its annotation {PruneAnnotation} says so",
            _ => HoldData.Contains(identity.Kind) ? $"it holds data; the annotation {PruneAnnotation}=true lets it go" : null,
        };
    }

    private async Task ApplyAsync(WorkloadRelease release, JsonObject manifest, bool force, CancellationToken cancellationToken)
    {
        var identity = ObjectIdentity.Of(manifest);
        try
        {
            await api.ApplyAsync(manifest, ManagerOf(release), dryRun: false, force, cancellationToken);
        }
        catch (KubernetesError e) when (IsReplaced(identity, e))
        {
            await api.DeleteAsync(identity, cancellationToken);
            await WaitAsync(async () => await api.FindAsync(identity, cancellationToken) is null, GoneLimit, $"{identity} is still being deleted", cancellationToken);
            await api.ApplyAsync(manifest, ManagerOf(release), dryRun: false, force, cancellationToken);
        }
    }

    /// <summary>Until its objects can be made: a while after it is established the server knows its kind.</summary>
    private async Task WaitForDefinitionAsync(JsonObject manifest, CancellationToken cancellationToken)
    {
        var identity = ObjectIdentity.Of(manifest);
        await WaitAsync(async () => await api.FindAsync(identity, cancellationToken) is { } live && ObjectReadiness.Of(live, time.GetUtcNow()).State == ReadinessState.Ready, DefinitionLimit, $"{identity} is not established", cancellationToken);
        var definition = new LiveObject(manifest);
        foreach (var version in definition.List("spec", "versions").Where(version => version.Is("served")))
        {
            var kind = new ObjectIdentity($"{definition.Text("spec", "group")}/{version.Text("name")}", definition.Text("spec", "names", "kind") ?? "", null, "");
            await WaitAsync(() => api.KnowsAsync(kind, cancellationToken), DefinitionLimit, $"{kind.Kind} in {kind.ApiVersion} is not served", cancellationToken);
        }
    }

    private async Task WaitAsync(Func<Task<bool>> done, TimeSpan limit, string otherwise, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (!await done())
        {
            if (time.GetElapsedTime(start) > limit) throw new UserError($"{otherwise} after {limit.TotalSeconds:0} s.", "The cluster's events say why: `k3s kubectl get events -A`.");
            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    /// <summary>Whether a dry run cannot say anything yet: the release itself brings the object's namespace or kind.</summary>
    private async Task<bool> IsMadePossibleByAsync(WorkloadRelease release, ObjectIdentity identity, CancellationToken cancellationToken)
    {
        if (!await api.KnowsAsync(identity, cancellationToken))
            return release.Objects.Where(IsDefinition).Select(definition => new LiveObject(definition)).Any(definition => definition.Text("spec", "group") == identity.Group && definition.Text("spec", "names", "kind") == identity.Kind);
        var space = new ObjectIdentity("v1", "Namespace", null, KubernetesApi.SpaceOf(identity));
        return release.Objects.Select(ObjectIdentity.Of).Any(other => other == space) && await api.FindAsync(space, cancellationToken) is null;
    }

    /// <summary>A job's template cannot be changed: it is made anew.</summary>
    private static bool IsReplaced(ObjectIdentity identity, KubernetesError e) =>
        identity is { Group: "batch", Kind: "Job" } && e.IsImmutable;

    /// <summary>A job that deletes itself when it is done is done when it is not there.</summary>
    private static bool GoesWhenDone(JsonObject manifest) => new LiveObject(manifest) is { Group: "batch", Kind: "Job" } job && job.Has("spec", "ttlSecondsAfterFinished");

    /// <summary>What nobody has marked as this workload's is not taken over: taking the release back would delete it.</summary>
    private async Task<bool> IsSomebodyElsesAsync(WorkloadRelease release, ObjectIdentity identity, CancellationToken cancellationToken) =>
        identity.Kind != "Namespace" && await api.FindAsync(identity, cancellationToken) is { } live && new LiveObject(live).Text("metadata", "labels", WorkloadLabel) != release.Id;

    private static string ManagerOf(WorkloadRelease release) => $"appliance-{release.Id}";

    private static bool IsDefinition(JsonObject manifest) => ObjectIdentity.Of(manifest) is { Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition" };

    /// <summary>The objects that are for Kubernetes, with our label, in the order of application.</summary>
    private static List<JsonObject> Ordered(WorkloadRelease release) => release.Objects.Where(manifest => new LiveObject(manifest).Text("metadata", "annotations", EngineAnnotation) is null or Engine).Select(manifest =>
    {
        var copy = (JsonObject)manifest.DeepClone();
        var metadata = copy["metadata"]!.AsObject();
        if (ObjectIdentity.Of(copy).Kind == "Namespace") return copy; // it may be several workloads'
        if (metadata["labels"] is not JsonObject labels) metadata["labels"] = labels = [];
        labels[WorkloadLabel] = release.Id;
        return copy;
    }).OrderBy(manifest => ApplyOrder.WaveOf(ObjectIdentity.Of(manifest))).ToList();
}
