using Appliance.Supervisor.Device;
using Appliance.Supervisor.Health;

namespace Appliance.Supervisor.Web;

/// <summary>A health check as the page and the JSON show it.</summary>
internal sealed record DeviceCheck
{
    public required string Name { get; init; }

    /// <summary>What it looks at.</summary>
    public required string Kind { get; init; }

    /// <summary>True when it is declared as a gate.</summary>
    public required bool Gate { get; init; }

    /// <summary>True when the verdict depends on it now.</summary>
    public required bool Counts { get; init; }

    /// <summary><c>waiting</c>, <c>passes</c>, <c>fails</c> or <c>excused</c>.</summary>
    public required string State { get; init; }

    /// <summary>Null before its first try.</summary>
    public required bool? Passed { get; init; }

    /// <summary>The latest result in words.</summary>
    public required string Message { get; init; }

    /// <summary>When it came into its state.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>When it was last tried.</summary>
    public required DateTimeOffset? Tried { get; init; }

    /// <summary>The latest changes of its state, oldest first.</summary>
    public required IReadOnlyList<DeviceCheckChange> History { get; init; }

    /// <summary>Shows a check.</summary>
    public static DeviceCheck Of(CheckStatus check) => new()
    {
        Name = check.Name,
        Kind = check.Kind,
        Gate = check.Gate,
        Counts = check.Gates,
        State = DeviceView.Word(check.State),
        Passed = check.Passed,
        Message = check.Message,
        Since = check.Since,
        Tried = check.Tried,
        History = check.History.Select(change => new DeviceCheckChange(change.At, DeviceView.Word(change.State), change.Message)).ToList(),
    };
}
