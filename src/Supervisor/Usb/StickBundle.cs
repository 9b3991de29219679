using Appliance.Core.Bundles;

namespace Appliance.Supervisor.Usb;

/// <summary>A file on a stick that is named like a bundle.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Name">Its name, fit to be shown.</param>
/// <param name="Claims">What it says it is, of which nothing has been verified; null when it says nothing.</param>
/// <param name="Fault">Why it says nothing, or null.</param>
internal sealed record StickBundle(string Path, string Name, BundleHeader? Claims, string? Fault);
