namespace Appliance.ImageBuilder.Flash;

/// <summary>What was written, to compare with what is read back. The hash finds failing devices; whether the image is right its map or SHA-256 says.</summary>
/// <param name="Start">First byte.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Hash">XXH128 of them.</param>
internal readonly record struct WrittenBlock(long Start, int Length, UInt128 Hash);
