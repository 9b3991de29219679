namespace Appliance.Core.Tuf;

/// <summary>What the four kinds of metadata have in common.</summary>
public abstract record SignedMetadata
{
    private const int KnownMajorVersion = 1;

    private protected SignedMetadata(TufEnvelope envelope, string type)
    {
        Envelope = envelope;
        var fields = new MetadataFields(envelope.Signed, envelope.Where);
        CheckSpecVersion(fields, envelope.Where);
        if (fields.Text("_type") is var actual && actual != type)
            throw MetadataError.Damaged(envelope.Where, $"it is {(actual.Length <= 20 ? actual : "other")} metadata, not {type} metadata");
        Version = fields.Integer("version", 1);
        Expires = fields.Time("expires");
        Fields = fields;
    }

    /// <summary>The file it was read from.</summary>
    public TufEnvelope Envelope { get; }

    /// <summary>Version number, from 1 on.</summary>
    public long Version { get; }

    /// <summary>When it stops to count.</summary>
    public DateTimeOffset Expires { get; }

    private protected MetadataFields Fields { get; }

    private static void CheckSpecVersion(MetadataFields fields, string where)
    {
        // 4.3: clients MUST verify that spec_version matches; here: the same major version.
        var version = fields.Text("spec_version");
        var parts = version.Split('.');
        if (version.Length > 40 || parts.Length is < 2 or > 3 || !int.TryParse(parts[0], System.Globalization.NumberStyles.None, null, out var major))
            throw fields.MemberError("spec_version", "is not a version like 1.0.31");
        if (major != KnownMajorVersion)
            throw new UserError($"{where} follows version {version} of the TUF specification; this program knows {KnownMajorVersion}.x.", "Update this program (on a device: install the newest image from a USB stick), then try again.");
    }
}
