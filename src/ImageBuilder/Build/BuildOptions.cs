namespace Appliance.ImageBuilder.Build;

/// <summary>What one run of <c>appliance build</c> was asked to do.</summary>
internal sealed record BuildOptions
{
    /// <summary>The image definition.</summary>
    public required string DefinitionPath { get; init; }

    /// <summary>The board to build for instead of the definition's, or null.</summary>
    public string? Board { get; init; }

    /// <summary>Results go to a folder <c>ID_VERSION_ARCH</c> in here.</summary>
    public required string OutputFolder { get; init; }

    /// <summary>Stage results are kept here.</summary>
    public required string CacheFolder { get; init; }

    /// <summary>Archives to use instead of mmdebstrap's built-in default: URLs or whole apt source lines.</summary>
    public IReadOnlyList<string> Mirrors { get; init; } = [];

    /// <summary>Component files given by hand, by component name.</summary>
    public IReadOnlyDictionary<string, string> Components { get; init; } = new Dictionary<string, string>();

    /// <summary>A ready supervisor binary, or null to publish it from the source tree.</summary>
    public string? Supervisor { get; init; }

    /// <summary>True refuses any package that differs from <c>appliance.lock.yaml</c>.</summary>
    public bool Locked { get; init; }

    /// <summary>True asks the archive again instead of using the cached trees.</summary>
    public bool Refresh { get; init; }
}
