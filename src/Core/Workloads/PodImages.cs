using System.Text.Json.Nodes;

namespace Appliance.Core.Workloads;

/// <summary>The places in a Kubernetes object that name a container image.</summary>
public static class PodImages
{
    private static readonly string[] ContainerLists = ["initContainers", "containers", "ephemeralContainers"];

    /// <summary>Every place, each as an object whose member has the image's name; none in kinds that have no pod in them.</summary>
    public static IEnumerable<PodImage> Of(JsonObject manifest)
    {
        if (PodSpec(manifest) is not { } pod) yield break;
        foreach (var list in ContainerLists)
            foreach (var container in Items(pod[list]))
                yield return new PodImage(container, "image", "imagePullPolicy");
        foreach (var volume in Items(pod["volumes"]))
            if (volume["image"] is JsonObject image) yield return new PodImage(image, "reference", "pullPolicy");
    }

    /// <summary>The pod that an object describes, or null.</summary>
    private static JsonObject? PodSpec(JsonObject manifest)
    {
        var group = manifest["apiVersion"] is JsonValue value && value.TryGetValue(out string? version) ? version : "";
        var kind = manifest["kind"] is JsonValue word && word.TryGetValue(out string? text) ? text : "";
        return (group.Split('/')[0], kind) switch
        {
            ("v1", "Pod") => manifest["spec"] as JsonObject,
            ("v1", "PodTemplate") => At(manifest, "template", "spec"),
            ("v1", "ReplicationController") or ("apps", "Deployment" or "StatefulSet" or "DaemonSet" or "ReplicaSet") or ("batch", "Job") => At(manifest, "spec", "template", "spec"),
            ("batch", "CronJob") => At(manifest, "spec", "jobTemplate", "spec", "template", "spec"),
            _ => null,
        };
    }

    private static JsonObject? At(JsonObject node, params ReadOnlySpan<string> path)
    {
        var at = node;
        foreach (var member in path)
        {
            if (at[member] is not JsonObject inner) return null;
            at = inner;
        }
        return at;
    }

    private static IEnumerable<JsonObject> Items(JsonNode? list) => (list as JsonArray)?.OfType<JsonObject>() ?? [];
}
