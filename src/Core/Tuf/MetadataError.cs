namespace Appliance.Core.Tuf;

/// <summary>The sentences about metadata that is refused.</summary>
internal static class MetadataError
{
    private const string Restore = "Check the repository with `appliance verify`, and restore it from a backup or a mirror; nothing was taken from it.";
    private const string Tampered = "Somebody between the publisher and here may have changed it. " + Restore;

    /// <summary>The parser's own words quote what it found, which may be thousands of characters of somebody's making.</summary>
    private const int Longest = 400;

    /// <summary>The file is not what the specification says a file is.</summary>
    public static UserError Damaged(string where, string what, Exception? inner = null) =>
        new($"{where} is damaged: {(what.Length <= Longest ? what : what[..Longest] + "…")}.", Restore, inner);

    /// <summary>The file contradicts what is already trusted.</summary>
    public static UserError Refused(string where, string what, string? hint = null) => new($"{where} is refused: {what}.", hint ?? Tampered);
}
