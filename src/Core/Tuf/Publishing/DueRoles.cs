namespace Appliance.Core.Tuf.Publishing;

/// <summary>The roles of whose life less than half is left.</summary>
/// <param name="Renewed">Those that are renewed with the next commit.</param>
/// <param name="Left">Those whose keys are not at hand, and when they expire.</param>
public sealed record DueRoles(IReadOnlyList<string> Renewed, IReadOnlyList<(string Role, DateTimeOffset Expires)> Left)
{
    /// <summary>What to tell whoever may have the keys; empty when nothing is left.</summary>
    public IEnumerable<string> Warnings => Left.Select(left => $"The {left.Role} metadata expires at {MetadataFields.FormatTime(left.Expires)}, and its keys are not at hand: appliance keys renew --role {left.Role} where they are.");
}
