namespace Appliance.ImageBuilder.BlockMaps;

/// <summary>A run of mapped blocks, both ends included, and the SHA-256 of their bytes.</summary>
internal sealed record BlockRange(long First, long Last, string Sha256)
{
    /// <summary>Number of blocks.</summary>
    public long Count => Last - First + 1;
}
