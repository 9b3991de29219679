namespace Appliance.Core.Tuf;

/// <summary>Root metadata (4.3): the keys and thresholds of the top-level roles.</summary>
public sealed record RootMetadata : SignedMetadata
{
    private RootMetadata(TufEnvelope envelope) : base(envelope, TufRole.Root)
    {
        ConsistentSnapshot = Fields.Flag("consistent_snapshot", missing: false);
        Keys = TufKey.ParseAll(Fields);
        var roles = Fields.Object("roles");
        Roles = TufRole.TopLevel.ToDictionary(name => name, name => TufRole.Parse(roles.Object(name)));
    }

    /// <summary>True when metadata files are named after their version and targets after their hash (6.2).</summary>
    public bool ConsistentSnapshot { get; }

    /// <summary>All keys by id.</summary>
    public IReadOnlyDictionary<string, TufKey> Keys { get; }

    /// <summary>The four top-level roles by name.</summary>
    public IReadOnlyDictionary<string, TufRole> Roles { get; }

    /// <summary>Parses and validates a file; its signatures are not verified.</summary>
    /// <exception cref="UserError">It is too large, malformed, of another kind, or of a later specification.</exception>
    public static RootMetadata Parse(ReadOnlyMemory<byte> bytes, string where) => new(TufEnvelope.Parse(bytes, where, TufLimits.Root));
}
