using Appliance.Core.Fleet;

namespace Appliance.ImageBuilder.Definition;

/// <summary>The update server that devices belong to.</summary>
/// <param name="Settings">What the device reads.</param>
/// <param name="Trust">Certificates (PEM) that the server is trusted by, or null for those of the system.</param>
public sealed record FleetDefinition(FleetSettings Settings, string? Trust);
