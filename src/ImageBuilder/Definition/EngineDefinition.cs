namespace Appliance.ImageBuilder.Definition;

/// <summary>What a workload engine brings into the image: the validated content of an <c>engines/NAME.yaml</c>.</summary>
public sealed record EngineDefinition
{
    /// <summary>Name of the file without its ending: <c>k3s</c> or <c>podman</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Debian packages.</summary>
    public IReadOnlyList<string> Packages { get; init; } = [];

    /// <summary>File trees laid over the root before the image's own; absolute paths.</summary>
    public IReadOnlyList<string> Overlays { get; init; } = [];

    /// <summary>Names of pinned components (<c>components.lock.yaml</c>) the engine cannot do without.</summary>
    public IReadOnlyList<string> Components { get; init; } = [];

    /// <summary>systemd units enabled with the engine.</summary>
    public IReadOnlyList<string> ServicesEnable { get; init; } = [];

    /// <summary>Paths below /etc the engine keeps on the data partition.</summary>
    public IReadOnlyList<string> PersistedEtc { get; init; } = [];

    /// <summary>Paths below /var and persisted ones below /etc whose content goes back with the version.</summary>
    public IReadOnlyList<string> State { get; init; } = [];
}
