using Appliance.ImageBuilder.Definition;

namespace Appliance.ImageBuilder.Pipeline;

/// <summary>A verified component file and the pin it satisfies.</summary>
internal sealed record InstalledComponent(ComponentPin Pin, string File);
