namespace Appliance.Supervisor.Updates;

/// <summary>What a boot means for the engine.</summary>
/// <param name="State">The engine's state from now on.</param>
/// <param name="Outcome">What has to be done.</param>
/// <param name="Pending">The update it is about, or null.</param>
internal sealed record BootJudgement(UpdateState State, BootOutcome Outcome, PendingUpdate? Pending);
