namespace Appliance.Core.Tuf;

/// <summary>Snapshot metadata (4.4): the version of every targets metadata file.</summary>
public sealed record SnapshotMetadata : SignedMetadata
{
    private SnapshotMetadata(TufEnvelope envelope) : base(envelope, TufRole.Snapshot)
    {
        Files = MetadataFile.ParseAll(Fields);
        if (!Files.ContainsKey("targets.json")) throw Fields.MemberError("meta", "does not name targets.json");
    }

    /// <summary>The targets metadata files by name, e.g. <c>targets.json</c> and <c>stable.json</c>.</summary>
    public IReadOnlyDictionary<string, MetadataFile> Files { get; }

    /// <summary>Parses and validates a file; its signatures are not verified.</summary>
    /// <exception cref="UserError">It is too large, malformed, of another kind, or of a later specification.</exception>
    public static SnapshotMetadata Parse(ReadOnlyMemory<byte> bytes, string where) => new(TufEnvelope.Parse(bytes, where, TufLimits.Snapshot));
}
