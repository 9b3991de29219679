namespace Appliance.Core.Delta;

/// <summary>How a stretch of the new payload comes about: copied from the old one, copied and corrected, or told outright. Bytes and offsets in bytes.</summary>
internal readonly record struct PatchCommand(PatchCommandKind Kind, long NewOffset, long Length, long OldOffset)
{
    /// <summary>Where a copy would go on in the old payload.</summary>
    public long OldEnd => OldOffset + Length;
}
