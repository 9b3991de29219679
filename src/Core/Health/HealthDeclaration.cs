using Appliance.Core.Yaml;

namespace Appliance.Core.Health;

/// <summary>What one file, or one image definition, says about health; null for what it leaves to others.</summary>
/// <param name="Timeout">Time within which all gating checks must pass.</param>
/// <param name="Stabilisation">How long they must pass without a break.</param>
/// <param name="Checks">The checks it declares.</param>
/// <param name="Bag">Its keys and where they stand, for errors.</param>
internal sealed record HealthDeclaration(TimeSpan? Timeout, TimeSpan? Stabilisation, IReadOnlyList<HealthCheck> Checks, Bag Bag)
{
    /// <summary>The settings when nobody else says anything.</summary>
    public HealthSettings Alone() => new() { Timeout = Timeout ?? Default.Timeout, Stabilisation = Stabilisation ?? Default.Stabilisation, Checks = Checks };

    /// <summary>What applies when nobody says anything.</summary>
    public static HealthSettings Default { get; } = new();
}
