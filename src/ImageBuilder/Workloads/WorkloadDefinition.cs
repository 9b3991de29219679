using Appliance.Core.Workloads;
using Appliance.Core.Yaml;
using Appliance.ImageBuilder.Definition;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>A workload as its <c>workload.yaml</c> defines it.</summary>
internal sealed record WorkloadDefinition
{
    /// <summary>Name of the file in the workload's folder.</summary>
    public const string FileName = "workload.yaml";

    private static readonly Shape Reference = new TextShape("an image such as docker.io/library/nginx:1.27", @"[!-~]+", text => ImageReference.TryParse(text) is not null, 512);

    private static readonly MappingShape Image = new("a mapping with name and archive",
        [
            new("name", Reference, "The image as the manifests name it.", null),
            new("archive", DefinitionShapes.File, "OCI or Docker archive with that image alone, made for instance by `podman save`.", null),
        ],
        bag => new GivenImage(ImageReference.TryParse(bag.Get<string>("name"))!, bag.Get<string>("archive")));

    /// <summary>The declaration of the file in a folder.</summary>
    public static MappingShape ShapeIn(string folder) => new("a workload definition: a mapping with id, version and manifests",
        [
            new("id", new TextShape("lower-case letters, digits and dashes, at most 63", "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"), "Name of the workload; its releases replace each other.", null),
            new("version", new TextShape("a version such as 1.4.2", @"[A-Za-z0-9][A-Za-z0-9.~^+_-]{0,63}"), "Version of this release.", null),
            new("architecture", DefinitionShapes.Architecture, "Architecture of the images.", "amd64"),
            new("sourceDate", CommonShapes.Date, "Every time stamp in the release, so that two builds are byte-identical.", "2026-01-01"),
            new("manifests", new ListShape<string>(DefinitionShapes.File, "a list of files and folders"), "Kubernetes manifests: YAML files, folders of them, or folders with a kustomization.yaml.", "[manifests]"),
            new("images", new ListShape<GivenImage>(Image, "a list of images with their archives"), "Images that are given as files. All others are fetched from their registries.", "[]"),
            new(SignatureRules.Key, SignatureRules.Shape, "Which images must carry a signature: it is fetched, checked and packed with the release, for devices that ask for it.", "[]"),
        ],
        bag => new WorkloadDefinition
        {
            Id = bag.Get<string>("id"),
            Version = bag.Get<string>("version"),
            Architecture = bag.Get("architecture", "amd64"),
            SourceDate = bag.Get("sourceDate", new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)),
            Manifests = bag.Has("manifests") ? bag.List<string>("manifests") : ["manifests"],
            Images = bag.List<GivenImage>("images"),
            Signatures = new SignaturePolicy { Rules = SignatureRules.Read(bag, (path, _) => Path.Combine(folder, path)) },
        });

    /// <summary>An image that is given as a file; the path is relative to the workload's folder.</summary>
    public sealed record GivenImage(ImageReference Name, string Archive);

    /// <summary>Workload id.</summary>
    public required string Id { get; init; }

    /// <summary>Version.</summary>
    public required string Version { get; init; }

    /// <summary>Debian architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>SOURCE_DATE_EPOCH.</summary>
    public required DateTimeOffset SourceDate { get; init; }

    /// <summary>Manifest files and folders.</summary>
    public required IReadOnlyList<string> Manifests { get; init; }

    /// <summary>Images that are not fetched.</summary>
    public required IReadOnlyList<GivenImage> Images { get; init; }

    /// <summary>Which images must carry a signature.</summary>
    public required SignaturePolicy Signatures { get; init; }

    /// <summary>Reads the definition of a folder.</summary>
    /// <exception cref="Core.UserError">There is none, or it has a mistake.</exception>
    public static WorkloadDefinition Read(string folder) =>
        (WorkloadDefinition)ShapeIn(folder).Load(Path.Combine(folder, FileName), "A workload's folder has a workload.yaml with its id and version, and its manifests; see docs/workloads.md.");
}
