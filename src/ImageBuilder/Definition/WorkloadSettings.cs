using Appliance.Core.Workloads;

namespace Appliance.ImageBuilder.Definition;

/// <summary>Which engine runs the workloads, and those that the image brings.</summary>
public sealed record WorkloadSettings
{
    /// <summary>The wanted engine, or null for none.</summary>
    public EngineDefinition? Engine { get; init; }

    /// <summary>The engine baked in, with a loud warning, when a component of the wanted one cannot be had; null makes that an error.</summary>
    public EngineDefinition? Fallback { get; init; }

    /// <summary>Workloads whose releases come and go with the image; absolute paths of their folders.</summary>
    public IReadOnlyList<string> Include { get; init; } = [];

    /// <summary>Which images must be signed by whom; none means that the signature of their release is enough.</summary>
    public IReadOnlyList<SignatureRule> Signatures { get; init; } = [];
}
