namespace Appliance.ImageBuilder.Definition;

/// <summary>Compression of the EROFS root. None makes every kind of delta 2 to 8 times smaller.</summary>
public enum RootCompression
{
    /// <summary>Uncompressed, no inline data.</summary>
    None,

    /// <summary>lz4hc, level 9, clusters of 64 KiB.</summary>
    Lz4hc,

    /// <summary>zstd, clusters of 64 KiB.</summary>
    Zstd,
}
