namespace Appliance.Core.Tuf;

/// <summary>Timestamp metadata (4.6): which snapshot is the newest.</summary>
public sealed record TimestampMetadata : SignedMetadata
{
    private TimestampMetadata(TufEnvelope envelope) : base(envelope, TufRole.Timestamp)
    {
        var files = MetadataFile.ParseAll(Fields);
        Snapshot = files.Count == 1 && files.TryGetValue("snapshot.json", out var snapshot) ? snapshot : throw Fields.MemberError("meta", "does not name snapshot.json alone");
    }

    /// <summary>The newest snapshot.</summary>
    public MetadataFile Snapshot { get; }

    /// <summary>Parses and validates a file; its signatures are not verified.</summary>
    /// <exception cref="UserError">It is too large, malformed, of another kind, or of a later specification.</exception>
    public static TimestampMetadata Parse(ReadOnlyMemory<byte> bytes, string where) => new(TufEnvelope.Parse(bytes, where, TufLimits.Timestamp));
}
