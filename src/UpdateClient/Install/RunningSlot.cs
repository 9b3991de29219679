namespace Appliance.UpdateClient.Install;

/// <summary>What runs now and is read from while the other slot is written. A part that is null is done without.</summary>
/// <param name="Root">The root partition's device or a file.</param>
/// <param name="Uki">The unified kernel image.</param>
public sealed record RunningSlot(string? Root, string? Uki);
