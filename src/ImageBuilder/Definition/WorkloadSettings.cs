namespace Appliance.ImageBuilder.Definition;

/// <summary>Which engine runs the workloads.</summary>
public sealed record WorkloadSettings
{
    /// <summary>The wanted engine, or null for none.</summary>
    public EngineDefinition? Engine { get; init; }

    /// <summary>The engine baked in, with a loud warning, when a component of the wanted one cannot be had; null makes that an error.</summary>
    public EngineDefinition? Fallback { get; init; }
}
