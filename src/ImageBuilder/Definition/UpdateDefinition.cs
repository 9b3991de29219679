using Appliance.Core.Updates;

namespace Appliance.ImageBuilder.Definition;

/// <summary>What the image knows of updates.</summary>
/// <param name="Settings">Where the device looks.</param>
/// <param name="TrustedRoot">Text of the TUF <c>root.json</c> that it trusts first, or null for none.</param>
public sealed record UpdateDefinition(UpdateSettings Settings, string? TrustedRoot);
