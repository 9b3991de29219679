using Appliance.ImageBuilder.Definition;

namespace Appliance.ImageBuilder.Pipeline;

/// <summary>The engine that is baked in, the component files it brings, and why it is not the one asked for.</summary>
internal sealed record WorkloadChoice(EngineDefinition? Engine, IReadOnlyList<InstalledComponent> Components, string? FallbackReason);
