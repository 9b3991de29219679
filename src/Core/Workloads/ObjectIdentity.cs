using System.Text.Json.Nodes;

namespace Appliance.Core.Workloads;

/// <summary>What tells a Kubernetes object from all others.</summary>
/// <param name="ApiVersion">Group and version, <c>apps/v1</c>.</param>
/// <param name="Kind">Kind, <c>Deployment</c>.</param>
/// <param name="Namespace">Namespace as written in the object, or null.</param>
/// <param name="Name">Name.</param>
public readonly record struct ObjectIdentity(string ApiVersion, string Kind, string? Namespace, string Name)
{
    /// <summary>API group: <c>apps</c>; empty for the core group.</summary>
    public string Group => ApiVersion.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash ? ApiVersion[..slash] : "";

    /// <summary>The identity of an object.</summary>
    /// <exception cref="InvalidDataException">It is no Kubernetes object with a name.</exception>
    public static ObjectIdentity Of(JsonObject manifest)
    {
        var apiVersion = Text(manifest, "apiVersion") ?? throw new InvalidDataException("it has no apiVersion");
        var kind = Text(manifest, "kind") ?? throw new InvalidDataException("it has no kind");
        var metadata = manifest["metadata"] as JsonObject ?? throw new InvalidDataException($"the {kind} has no metadata");
        var name = Text(metadata, "name") ?? throw new InvalidDataException($"the {kind} has no metadata.name");
        if (metadata.ContainsKey("namespace") && Text(metadata, "namespace") is null) throw new InvalidDataException($"metadata.namespace of {kind} {name} is no text");
        return new ObjectIdentity(apiVersion, kind, Text(metadata, "namespace"), name);
    }

    /// <summary><c>Deployment shop/web</c>.</summary>
    public override string ToString() => $"{Kind} {(Namespace is null ? "" : Namespace + "/")}{Name}";

    private static string? Text(JsonObject node, string member) => node[member] is JsonValue value && value.TryGetValue(out string? text) && text.Length > 0 ? text : null;
}
