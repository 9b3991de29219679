using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Workloads.Kubernetes;

namespace Appliance.Supervisor.Workloads.Podman;

/// <summary>
/// Turns the objects of a release into units: one for each object with a pod, with the configuration it refers to. Podman knows
/// some kinds only (podman-kube-play(1)); an object of another one must say that it is not for podman.
/// </summary>
internal static class PodmanUnits
{
    /// <summary>Labels of pods and containers: their workload, their unit, and what they are made of.</summary>
    public const string WorkloadLabel = KubernetesEngine.WorkloadLabel, UnitLabel = "appliance.io/unit", ContentLabel = "appliance.io/content";

    private const string EngineAnnotation = KubernetesEngine.EngineAnnotation;
    private const string Engine = "podman";
    private const int LongestUnit = 200, ContentLength = 16, MostFaultsShown = 10;
    private static readonly string[] Given = ["ConfigMap", "Secret", "PersistentVolumeClaim"];

    /// <summary>Members of a pod that name an object of these kinds, directly or by <c>name</c>.</summary>
    private static readonly Dictionary<string, string> References = new(StringComparer.Ordinal)
    {
        ["configMap"] = "ConfigMap",
        ["configMapRef"] = "ConfigMap",
        ["configMapKeyRef"] = "ConfigMap",
        ["secret"] = "Secret",
        ["secretRef"] = "Secret",
        ["secretKeyRef"] = "Secret",
        ["secretName"] = "Secret",
        ["claimName"] = "PersistentVolumeClaim",
    };

    /// <summary>The objects of a release that are for podman.</summary>
    public static IEnumerable<JsonObject> Wanted(WorkloadRelease release) =>
        release.Objects.Where(manifest => new LiveObject(manifest).Text("metadata", "annotations", EngineAnnotation) is null or Engine);

    /// <summary>The units of a release.</summary>
    /// <exception cref="UserError">Podman cannot run it; the message has every reason.</exception>
    public static IReadOnlyList<PodmanUnit> Of(WorkloadRelease release)
    {
        var units = new List<PodmanUnit>();
        var faults = new List<string>();
        var given = Wanted(release).Where(IsGiven).DistinctBy(manifest => (ObjectIdentity.Of(manifest).Kind, ObjectIdentity.Of(manifest).Name)).ToDictionary(manifest => (ObjectIdentity.Of(manifest).Kind, ObjectIdentity.Of(manifest).Name));
        foreach (var manifest in Wanted(release).Where(manifest => !IsGiven(manifest)))
        {
            if (Fault(manifest) is { } fault) faults.Add($"{ObjectIdentity.Of(manifest)}: {fault}");
            else units.Add(Make(release, manifest, given, faults));
        }
        foreach (var clash in units.GroupBy(unit => unit.Pod).Where(group => group.Count() > 1)) faults.Add($"{string.Join(" and ", clash.Select(unit => unit.Object))}: podman calls the pods of both {clash.Key}");
        foreach (var clash in Wanted(release).Where(IsGiven).Select(ObjectIdentity.Of).GroupBy(identity => (identity.Kind, identity.Name)).Where(group => group.Count() > 1)) faults.Add($"{string.Join(" and ", clash)}: podman knows no namespaces");
        if (faults.Count == 0) return units;
        throw new UserError($"Podman cannot run {release.Id} {release.Version}; nothing was changed.{FaultLines.Of(faults, MostFaultsShown)}",
            $"Give what is for Kubernetes alone the annotation {EngineAnnotation}: k3s, or build an image with k3s.");
    }

    /// <summary>Whether an object is given to pods and does nothing by itself.</summary>
    public static bool IsGiven(JsonObject manifest) => ObjectIdentity.Of(manifest) is { Group: "" } identity && Given.Contains(identity.Kind);

    private static string? Fault(JsonObject manifest)
    {
        var (identity, live) = (ObjectIdentity.Of(manifest), new LiveObject(manifest));
        if ((identity.Group, identity.Kind) is not (("", "Pod") or ("apps", "Deployment" or "DaemonSet") or ("batch", "Job"))) return "podman knows no such objects";
        if (live.Number("spec", "replicas") is { } replicas and not 1) return $"podman runs one replica, and it asks for {replicas}";
        if (live.Number("spec", "parallelism") is > 1 || live.Number("spec", "completions") is > 1) return "podman runs a job's pod once";
        return null;
    }

    private static PodmanUnit Make(WorkloadRelease release, JsonObject manifest, Dictionary<(string, string), JsonObject> given, List<string> faults)
    {
        var identity = ObjectIdentity.Of(manifest);
        var copy = (JsonObject)manifest.DeepClone();
        var template = identity.Kind == "Pod" ? copy : copy["spec"]?["template"] as JsonObject;
        var spec = template?["spec"] as JsonObject;
        if (spec?["containers"] is not JsonArray { Count: > 0 } containers)
        {
            faults.Add($"{identity}: it has no containers");
            spec = new JsonObject { ["containers"] = containers = [] };
        }
        var unit = $"appliance:{release.Id}:{identity.Kind.ToLowerInvariant()}:{identity.Name}";
        if (unit.Length > LongestUnit) faults.Add($"{identity}: its name is too long for a unit");
        var (documents, names) = (new List<JsonObject>(), new SortedSet<string>(StringComparer.Ordinal));
        foreach (var (holder, member, kind, name) in Referred(spec).ToList())
        {
            if (!given.TryGetValue((kind, name), out var found)) continue;
            var document = (JsonObject)found.DeepClone();
            var called = name;
            if (kind == "PersistentVolumeClaim") Labels(document)[WorkloadLabel] = release.Id;
            else
            {
                // Podman only ever adds to the volume of a name: one for each content, or a pod would see files of another release.
                called = GivenPrefix(release.Id) + name + "-" + Hash(found.ToJsonString());
                document["metadata"]!["name"] = called;
                holder[member] = called;
            }
            if (names.Add($"{kind} {called}")) documents.Add(document);
        }
        var labels = Labels(template ?? copy);
        labels[WorkloadLabel] = release.Id;
        labels[UnitLabel] = unit;
        var pod = identity.Kind == "Pod" ? identity.Name : $"{identity.Name}-pod";
        documents.Add(identity.Kind == "Job" ? PodOf(template ?? copy, pod) : copy);
        var content = Hash(Join(documents));
        labels[ContentLabel] = content;
        var policy = (string?)spec["restartPolicy"] ?? "Always";
        var ends = policy != "Always";
        var own = containers.OfType<JsonObject>().Select(container => (string?)container["name"] ?? "").ToList();
        return new PodmanUnit(identity, unit, pod, own, ends, policy != "Never", content, [.. documents.Select(ObjectIdentity.Of).Where(found => found.Kind is "ConfigMap" or "Secret").Select(found => found.Name)], Join(documents), KubeFile(release, identity, unit, content, ends));
    }

    /// <summary>The pod of a job by itself: podman 5.4 dies of a job that it is to watch (a nil pointer in PlayKube).</summary>
    private static JsonObject PodOf(JsonObject template, string name)
    {
        var pod = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod" };
        foreach (var (member, value) in template.ToList())
        {
            template.Remove(member);
            pod[member] = value;
        }
        pod["metadata"]!["name"] = name;
        if (pod["spec"] is JsonObject spec) spec["restartPolicy"] ??= "Never";
        return pod;
    }

    /// <summary>
    /// The unit does not wait for a network: images are here, and a device starts what it has wherever it is. What comes to an end
    /// stays active when it has, and is not started again at boot once it is known to be done; its unit is a oneshot, because of one
    /// that notifies systemd takes a pod for failed that ends before podman has said that it is ready. What cannot be started rests longer than
    /// the grace of a release (<see cref="ReleaseTiming.Grace"/>), or it would never be seen to fail for that long.
    /// </summary>
    private static string KubeFile(WorkloadRelease release, ObjectIdentity identity, string name, string content, bool ends) => $"""
        # Written by the appliance supervisor; changes are lost with the next release.
        [Unit]
        Description={release.Id}: {identity}
        {(ends ? $"ConditionPathExists=!%S/appliance/containers/systemd/{DoneName(name, content)}" : "StartLimitIntervalSec=0")}

        [Kube]
        Yaml={name}.yaml

        [Service]
        {(ends ? "Type=oneshot\nRemainAfterExit=yes" : "Restart=on-failure\nRestartSec=45")}
        TimeoutStartSec=300

        [Install]
        WantedBy=multi-user.target

        [Quadlet]
        DefaultDependencies=false

        """;

    /// <summary>What the names of a workload's configuration and secrets begin with in podman.</summary>
    public static string GivenPrefix(string workload) => $"appliance-{workload}-";

    /// <summary>Name of the file that says that what a unit was made of has come to its end.</summary>
    public static string DoneName(string name, string content) => $"{name}.{content}.done";

    private static JsonObject Labels(JsonObject holder)
    {
        if (holder["metadata"] is not JsonObject metadata) holder["metadata"] = metadata = [];
        if (metadata["labels"] is not JsonObject labels) metadata["labels"] = labels = [];
        return labels;
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..ContentLength];

    /// <summary>Where a pod refers to something: the object and its member that has the name, and what kind it is of.</summary>
    private static IEnumerable<(JsonObject Holder, string Member, string Kind, string Name)> Referred(JsonNode? node)
    {
        if (node is JsonArray list)
        {
            foreach (var reference in list.SelectMany(Referred)) yield return reference;
            yield break;
        }
        foreach (var (member, value) in node as JsonObject ?? [])
        {
            if (References.TryGetValue(member, out var kind))
            {
                var (holder, key) = value is JsonObject inner ? (inner, "name") : ((JsonObject)node!, member);
                if (holder[key] is JsonValue text && text.TryGetValue(out string? name)) yield return (holder, key, kind, name);
            }
            foreach (var reference in Referred(value)) yield return reference;
        }
    }

    /// <summary>JSON is YAML, too.</summary>
    private static string Join(IEnumerable<JsonObject> documents) => string.Join("\n---\n", documents.Select(document => document.ToJsonString())) + "\n";
}
