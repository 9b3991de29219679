namespace Appliance.Core.Tuf;

/// <summary>Targets metadata (4.5), of the top-level role or a delegated one.</summary>
public sealed record TargetsMetadata : SignedMetadata
{
    private TargetsMetadata(TufEnvelope envelope) : base(envelope, TufRole.Targets)
    {
        var targets = new Dictionary<string, TargetFile>(StringComparer.Ordinal);
        foreach (var (path, target) in Fields.Objects("targets")) targets.Add(path, TargetFile.Parse(path, target));
        Targets = targets;
        if (!Fields.Has("delegations")) return;

        var delegations = Fields.Object("delegations");
        DelegationKeys = TufKey.ParseAll(delegations);
        Delegations = [.. delegations.ObjectItems("roles").Select(DelegatedRole.Parse)];
        if (Delegations.DistinctBy(role => role.Name, StringComparer.Ordinal).Count() != Delegations.Count)
            throw delegations.MemberError("roles", "has two roles of the same name");
    }

    /// <summary>The targets by path.</summary>
    public IReadOnlyDictionary<string, TargetFile> Targets { get; }

    /// <summary>The delegations, the first with the most say.</summary>
    public IReadOnlyList<DelegatedRole> Delegations { get; } = [];

    /// <summary>The keys of the delegated roles by id.</summary>
    public IReadOnlyDictionary<string, TufKey> DelegationKeys { get; } = new Dictionary<string, TufKey>();

    /// <summary>Parses and validates a file; its signatures are not verified.</summary>
    /// <exception cref="UserError">It is too large, malformed, of another kind, or of a later specification.</exception>
    public static TargetsMetadata Parse(ReadOnlyMemory<byte> bytes, string where) => new(TufEnvelope.Parse(bytes, where, TufLimits.Targets));
}
