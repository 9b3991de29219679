using Appliance.ImageBuilder.Build;

namespace Appliance.ImageBuilder.Containers;

/// <summary>What <c>appliance build --container</c> was asked to do.</summary>
internal sealed record ContainerBuildOptions
{
    /// <summary>The build itself, with paths of this machine; its cache folder is not used.</summary>
    public required BuildOptions Build { get; init; }

    /// <summary>The builder image: a file that <c>appliance builder-image</c> made, the name of one that the engine has, or null for the usual name.</summary>
    public string? Builder { get; init; }

    /// <summary>Address of the engine, or null to look for one.</summary>
    public string? Engine { get; init; }

    /// <summary>The network of the container, or null for the engine's default.</summary>
    public string? Network { get; init; }

    /// <summary>The folder that holds everything the definition names, or null for the clone it is in.</summary>
    public string? Context { get; init; }

    /// <summary>Name of the volume with the results of stages, or null for one of its own for this output folder.</summary>
    public string? Volume { get; init; }
}
