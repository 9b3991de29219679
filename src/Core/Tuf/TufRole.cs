namespace Appliance.Core.Tuf;

/// <summary>Who signs a role: the ids of its keys, and how many of them must.</summary>
public sealed record TufRole(IReadOnlyList<string> KeyIds, int Threshold)
{
    /// <summary>Name of the root role.</summary>
    public const string Root = "root";

    /// <summary>Name of the timestamp role.</summary>
    public const string Timestamp = "timestamp";

    /// <summary>Name of the snapshot role.</summary>
    public const string Snapshot = "snapshot";

    /// <summary>Name of the top-level targets role.</summary>
    public const string Targets = "targets";

    /// <summary>The four roles that the root metadata names; every other role is delegated.</summary>
    public static IReadOnlyList<string> TopLevel { get; } = [Root, Timestamp, Snapshot, Targets];

    internal static TufRole Parse(MetadataFields fields)
    {
        var ids = fields.Texts("keyids");
        if (ids.Distinct(StringComparer.Ordinal).Count() != ids.Count) throw fields.MemberError("keyids", "names a key twice");
        var threshold = fields.Integer("threshold", 1);
        return threshold <= int.MaxValue ? new TufRole(ids, (int)threshold) : throw fields.MemberError("threshold", "is too large");
    }
}
