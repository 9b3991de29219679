using System.Text.Json.Nodes;

namespace Appliance.Core.Workloads;

/// <summary>
/// The first member of a workload payload: the Kubernetes objects of a release and the images they use. The payload is an OCI
/// image layout in a tar archive (OCI image specification 1.1) with this document in front, so that container engines load it
/// as it is; its layers are not compressed, so that chunks and patches find what did not change in them.
/// </summary>
public sealed record WorkloadRelease
{
    /// <summary>The format this program writes and reads.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Name of the payload in its bundle.</summary>
    public const string PayloadName = "workload.tar";

    /// <summary>Where an image has the releases that it brings: <c>ID/workload.tar</c> below it.</summary>
    public const string ImageFolder = "/usr/lib/appliance/workloads";

    /// <summary>Name of this document in the payload.</summary>
    public const string MemberName = "release.json";

    /// <summary>Format version; a reader refuses newer ones.</summary>
    public required int Format { get; init; }

    /// <summary>Workload id.</summary>
    public required string Id { get; init; }

    /// <summary>Version of the release (UAPI version format).</summary>
    public required string Version { get; init; }

    /// <summary>Debian architecture of the images.</summary>
    public required string Architecture { get; init; }

    /// <summary>The images, each once.</summary>
    public required IReadOnlyList<WorkloadImage> Images { get; init; }

    /// <summary>The objects, as they are applied.</summary>
    public required IReadOnlyList<JsonObject> Objects { get; init; }
}
