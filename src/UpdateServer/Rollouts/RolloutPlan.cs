using Appliance.Core;
using Appliance.UpdateServer.Assignments;

namespace Appliance.UpdateServer.Rollouts;

/// <summary>A rollout as somebody asks for it.</summary>
internal sealed record RolloutPlan
{
    private const int MostGroups = 100, MostRetries = 10;

    /// <summary>Name.</summary>
    public required string Name { get; init; }

    /// <summary>Number of the release.</summary>
    public required long Release { get; init; }

    /// <summary>Which devices; see <see cref="DeviceFilter"/>.</summary>
    public string Filter { get; init; } = "";

    /// <summary>Sizes of the groups, such as <c>5</c>, <c>10%</c>; what is left is the last group.</summary>
    public IReadOnlyList<string> Groups { get; init; } = ["1%", "10%"];

    /// <summary>Share of a group that must have succeeded before the next one starts, in percent.</summary>
    public int SuccessPercent { get; init; } = 90;

    /// <summary>Share of a group whose failure pauses the rollout, in percent.</summary>
    public int ErrorPercent { get; init; } = 10;

    /// <summary>How often a device that failed is tried again by itself.</summary>
    public int Retries { get; init; }

    /// <summary>Whether devices do it at once.</summary>
    public bool Forced { get; init; }

    /// <summary>Whether somebody at each device must agree.</summary>
    public bool Confirm { get; init; }

    /// <summary>When devices may install it, UTC: <c>Mon-Fri 01:00-04:00</c>; null for any time.</summary>
    public string? Window { get; init; }

    /// <summary>Whether somebody else must approve it before it can start.</summary>
    public bool Approval { get; init; }

    /// <summary>The groups' sizes for so many devices.</summary>
    /// <exception cref="UserError">The plan makes no sense.</exception>
    public IReadOnlyList<int> Sizes(int devices)
    {
        var sizes = new List<int>();
        var left = devices;
        foreach (var text in Groups)
        {
            var share = GroupShare.TryParse(text) ?? throw new UserError($"\"{text}\" is no size of a group.", "Examples: 5, 10%");
            var size = Math.Min(left, share.Of(devices));
            if (size == 0) break;
            sizes.Add(size);
            left -= size;
        }
        if (left > 0) sizes.Add(left);
        return sizes;
    }

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="UserError">It makes none.</exception>
    public void Require()
    {
        if (Name.Trim().Length is 0 or > 200) throw new UserError("A rollout needs a name of at most 200 characters.");
        if (Groups.Count > MostGroups) throw new UserError($"A rollout has at most {MostGroups} groups.");
        if (SuccessPercent is < 1 or > 100) throw new UserError("successPercent is a number from 1 to 100.");
        if (ErrorPercent is < 1 or > 100) throw new UserError("errorPercent is a number from 1 to 100.");
        if (Retries is < 0 or > MostRetries) throw new UserError($"retries is a number from 0 to {MostRetries}.");
        AssignmentTerms.RequireWindow(Window);
        _ = Sizes(1);
        _ = DeviceFilter.Parse(Filter);
    }
}
