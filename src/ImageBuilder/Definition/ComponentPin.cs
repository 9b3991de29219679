namespace Appliance.ImageBuilder.Definition;

/// <summary>A third-party artefact pinned in <c>components.lock.yaml</c> for one architecture.</summary>
public sealed record ComponentPin
{
    /// <summary>Component name, e.g. <c>k3s</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Upstream version.</summary>
    public required string Version { get; init; }

    /// <summary>Debian architecture the file is for.</summary>
    public required string Architecture { get; init; }

    /// <summary>Where real users' builds fetch it.</summary>
    public required Uri Url { get; init; }

    /// <summary>SHA-256 of the file, lower-case hex. Verified always, wherever the file came from.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Size in bytes when known; a longer download is cut off there.</summary>
    public long? Size { get; init; }

    /// <summary>Absolute path in the root where the file goes.</summary>
    public required string InstallPath { get; init; }

    /// <summary>True installs it executable.</summary>
    public bool Executable { get; init; }

    /// <summary>False when the engine also works without it (e.g. the air-gap images): it is left out with a warning.</summary>
    public bool Required { get; init; } = true;
}
