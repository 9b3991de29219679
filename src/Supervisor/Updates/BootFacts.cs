using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Updates;

/// <summary>What is known of this boot when the engine starts.</summary>
/// <param name="Version">The version that runs.</param>
/// <param name="BootId">This boot.</param>
/// <param name="BootState">Whether the boot loader counts it.</param>
/// <param name="Slots">Both slots, or null when they could not be read.</param>
/// <param name="Trial">The worker's record of a trial, or null.</param>
internal sealed record BootFacts(string Version, string BootId, BootState BootState, IReadOnlyList<SlotStatus>? Slots, TrialRecord? Trial);
