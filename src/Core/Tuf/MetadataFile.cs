namespace Appliance.Core.Tuf;

/// <summary>What one metadata file says of another (METAFILES, 4.4).</summary>
/// <param name="Version">Its version.</param>
/// <param name="Length">Its length in bytes, when given.</param>
/// <param name="Hashes">Its hashes, when given.</param>
public sealed record MetadataFile(long Version, long? Length, FileHashes? Hashes)
{
    internal static IReadOnlyDictionary<string, MetadataFile> ParseAll(MetadataFields fields)
    {
        var files = new Dictionary<string, MetadataFile>(StringComparer.Ordinal);
        foreach (var (name, file) in fields.Objects("meta"))
            files.Add(name, new MetadataFile(file.Integer("version", 1), file.Has("length") ? file.Integer("length", 1) : null, file.Has("hashes") ? FileHashes.Parse(file) : null));
        return files;
    }

    /// <summary>Largest number of bytes to read of the file: what is stated, but never more than <paramref name="limit"/>.</summary>
    public int ReadLimit(int limit) => (int)Math.Min(Length ?? limit, limit);

    internal void Check(ReadOnlySpan<byte> bytes, string where, string by)
    {
        if (Length is { } length && bytes.Length != length) throw MetadataError.Refused(where, $"it has {bytes.Length} bytes, {by} says {length}");
        if (Hashes is { } hashes && !hashes.Match(bytes)) throw MetadataError.Refused(where, $"its hash is another than {by} says");
    }
}
