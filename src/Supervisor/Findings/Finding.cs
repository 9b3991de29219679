namespace Appliance.Supervisor.Findings;

/// <summary>Something that is wrong or soon will be, with what to do about it.</summary>
/// <param name="Id">Stable name of the kind, <c>data-filling</c>.</param>
/// <param name="Severity">How much it matters.</param>
/// <param name="Title">What it is, in a short sentence.</param>
/// <param name="Explanation">What was seen.</param>
/// <param name="Action">What to do.</param>
/// <param name="Since">When it began, or was first seen.</param>
internal sealed record Finding(string Id, FindingSeverity Severity, string Title, string Explanation, string Action, DateTimeOffset Since)
{
    /// <summary>What it is about where there can be several of a kind: a check, a version.</summary>
    public string Subject { get; init; } = "";

    /// <summary>A verb of <c>appliancectl</c> that is safe to try, with its argument, or empty.</summary>
    public string Command { get; init; } = "";
}
