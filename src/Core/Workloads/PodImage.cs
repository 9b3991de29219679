using System.Text.Json.Nodes;

namespace Appliance.Core.Workloads;

/// <summary>A place in a Kubernetes object that names a container image.</summary>
/// <param name="Node">The container or the image volume.</param>
/// <param name="Member">Its member with the image's name.</param>
/// <param name="PolicyMember">Its member that says when the image is pulled.</param>
public readonly record struct PodImage(JsonObject Node, string Member, string PolicyMember)
{
    private const string NeverPull = "Never";

    /// <summary>The image's name as written, or null when there is none.</summary>
    public string? Name => Node[Member] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    /// <summary>Whether the image is never pulled.</summary>
    public bool IsNeverPulled => Node[PolicyMember] is JsonValue value && value.TryGetValue(out string? text) && text == NeverPull;

    /// <summary>Names an image that is on the device already and is never pulled.</summary>
    public void Set(string name)
    {
        Node[Member] = name;
        Node[PolicyMember] = NeverPull;
    }
}
