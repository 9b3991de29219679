using Appliance.Core;
using Appliance.Core.Images;
using Appliance.UpdateClient.Install;

namespace Appliance.Supervisor.Boot;

/// <summary>A slot as the partition table has it.</summary>
/// <param name="Name"><c>a</c> or <c>b</c>.</param>
/// <param name="Root">Its root partition.</param>
/// <param name="Verity">The partition of its hash tree.</param>
internal sealed record DiskSlot(string Name, GptPartition Root, GptPartition Verity)
{
    /// <summary>Label of what it holds, <c>ID_VERSION</c>; null when it is empty.</summary>
    public string? Label => Root.Label is "" or ImageIdentity.EmptyLabel ? null : Root.Label;

    /// <summary>The dm-verity root hash of what it holds: its halves are the partitions' UUIDs.</summary>
    public string RootHash => $"{Root.Id:N}{Verity.Id:N}";

    /// <summary>The version in its label; null when it is empty.</summary>
    public string? Version(string imageId) => Label is not { } label ? null : label.StartsWith(imageId + "_", StringComparison.Ordinal) ? label[(imageId.Length + 1)..] : label;

    /// <summary>True where the running kernel was told this root hash.</summary>
    public bool HasRootHash(string hash) => RootHash.Equals(hash, StringComparison.OrdinalIgnoreCase);

    /// <summary>What is told of it, whatever the boot scheme; tries are the scheme's to add.</summary>
    public SlotStatus Describe(string imageId, bool running, SlotState state)
    {
        var holds = Label is not null && (running || state != SlotState.Empty);
        return new SlotStatus { Name = Name, Running = running, State = state, Version = holds ? Version(imageId) : null, RootHash = holds ? RootHash : null };
    }

    /// <summary>The slot of a name.</summary>
    /// <exception cref="UserError">There is none.</exception>
    public static DiskSlot Find(IReadOnlyList<DiskSlot> slots, string name) =>
        slots.FirstOrDefault(slot => slot.Name == name) ?? throw new UserError($"There is no slot \"{name}\".", "Slots are a and b.");

    /// <summary>Giving up a slot must leave another that boots, and giving up what is proven one that is proven, too.</summary>
    /// <exception cref="UserError">There would be nothing left to boot, or nothing that is known to work.</exception>
    public static void CheckGiveUp(SlotStatus slot, SlotStatus rest)
    {
        if (!rest.IsBootable) throw new UserError($"Slot {slot.Name} cannot be given up: slot {rest.Name} holds nothing that boots.", "Install a version into the other slot first.");
        if (slot.State == SlotState.Good && rest.State != SlotState.Good)
            throw new UserError($"Slot {slot.Name} cannot be given up: version {rest.Version} in slot {rest.Name} is on trial, and nothing that is known to work would be left.", "Wait until it is kept, or keep it yourself once it runs: appliancectl mark-good.");
    }

    /// <summary>
    /// Overwriting a slot must not take away what the device falls back to, and no version can be in both.
    /// </summary>
    /// <exception cref="UserError">This is no time to install the version.</exception>
    public static void CheckInstall(string version, SlotStatus running, SlotStatus other)
    {
        if (version == running.Version)
            throw new UserError($"Version {version} is what runs in slot {running.Name}, and a second copy would not be told from it.", "Install another version; to prove the running one whole, `appliance verify` its bundle.");
        if (running.State != SlotState.Good && other.State == SlotState.Good)
            throw new UserError($"Slot {other.Name} is what the device falls back to as long as version {running.Version} in slot {running.Name} is not kept.", "Wait until it is kept, or go back first: appliancectl rollback.");
    }

    /// <summary>Where a partition is written: its device, or its piece of a disk image.</summary>
    public static SlotRegion Region(GptTable table, GptPartition partition) =>
        File.Exists(partition.Node) ? new SlotRegion(partition.Node) : new SlotRegion(table.Disk, partition.Offset, partition.Size);
}
