using Appliance.Core;

namespace Appliance.UpdateClient.Install;

/// <summary>The slot that an update is written to.</summary>
public sealed record TargetSlot
{
    /// <summary>The root partition.</summary>
    public required SlotRegion Root { get; init; }

    /// <summary>The verity partition.</summary>
    public required SlotRegion Verity { get; init; }

    /// <summary>The boot entry to be made. It appears last, whole and by rename; until then the old system is what boots.</summary>
    public required string Uki { get; init; }

    /// <summary>Where the boot entry is written before it gets its name.</summary>
    internal string PartialUki => Path.Combine(Path.GetDirectoryName(Path.GetFullPath(Uki))!, $".{Path.GetFileName(Uki)}.part");

    /// <summary>Boot entries of what the slot holds now; they are removed before it is overwritten.</summary>
    public IReadOnlyList<string> OldUkis { get; init; } = [];

    /// <summary>Says what the slot holds.</summary>
    public required ISlotMarker Marker { get; init; }

    /// <summary>Called when the slot holds nothing that boots any more, before anything new is written into it; every time an installation begins or goes on.</summary>
    public Action? Emptied { get; init; }

    /// <summary>Gives the boot entry its name, from and to, which nothing has; the new name is on the disk when it returns.</summary>
    public Action<string, string> Rename { get; init; } = (from, to) =>
    {
        File.Move(from, to);
        DurableFile.SyncFolder(Path.GetDirectoryName(to)!);
    };

    /// <summary>Deletes a boot entry that may be there; that it is gone is on the disk when it returns.</summary>
    public Action<string> Delete { get; init; } = DurableFile.Delete;
}
