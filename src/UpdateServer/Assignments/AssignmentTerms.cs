using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.UpdateServer.Fleet;

namespace Appliance.UpdateServer.Assignments;

/// <summary>How a release is given to a device.</summary>
internal sealed record AssignmentTerms
{
    /// <summary>The rollout that gives it; null for one by hand.</summary>
    public long? RolloutId { get; init; }

    /// <summary>Number of the rollout's group.</summary>
    public int GroupNumber { get; init; }

    /// <summary>Whether it is to be done at once.</summary>
    public bool IsForced { get; init; }

    /// <summary>Whether somebody at the device must agree.</summary>
    public bool NeedsConfirmation { get; init; }

    /// <summary>When it may be installed; see <see cref="UpdateAction.Window"/>.</summary>
    public string? Window { get; init; }

    /// <summary>Refuses what is no window.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static void RequireWindow(string? text)
    {
        if (text is not null && MaintenanceWindow.TryParse(text) is null) throw new UserError($"\"{text}\" is no maintenance window.", "Example: Mon-Fri 01:00-04:00");
    }

    /// <summary>The terms of a rollout's group.</summary>
    public static AssignmentTerms Of(Rollout rollout, int group) => new()
    {
        RolloutId = rollout.Id,
        GroupNumber = group,
        IsForced = rollout.IsForced,
        NeedsConfirmation = rollout.NeedsConfirmation,
        Window = rollout.Window,
    };
}
