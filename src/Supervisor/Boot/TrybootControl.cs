using System.Buffers.Binary;
using Appliance.Core;
using Appliance.UpdateClient.Install;
using DeviceFacts = Appliance.Supervisor.Device.DeviceFacts;
using RunningSlot = Appliance.UpdateClient.Install.RunningSlot;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// The Raspberry Pi firmware's <c>tryboot</c>. The disk: partition 1 (FAT) has <c>autoboot.txt</c>; slot <c>a</c> is boot
/// partition 2, root 4 and verity 5; slot <c>b</c> is boot partition 3, root 6 and verity 7. What starts a slot is one file on its
/// boot partition, the FAT image that the firmware takes for a boot partition with <c>boot_ramdisk=1</c>. A new version has one
/// try, which needs no count: the boot after it is the kept slot again.
/// </summary>
internal sealed class TrybootControl : IBootControl, IDisposable
{
    /// <summary>How many partitions more than an ESP come before the slots'.</summary>
    public const int MoreBootPartitions = 2;

    private const string BootImage = "boot.img", Chosen = "proc/device-tree/chosen/bootloader", RebootParameterFile = "run/systemd/reboot-param";
    private const int AutobootPartition = 1;
    private static readonly (string Name, int Boot, int Root, int Verity)[] Layout = [("a", 2, 4, 5), ("b", 3, 6, 7)];
    private readonly string _disk;
    private readonly EspMount _autoboot;
    private readonly IReadOnlyDictionary<string, EspMount> _boot;
    private readonly string _imageId;
    private readonly string _root;
    private readonly EspFiles _files;
    private readonly SlotVerdicts _verdicts;

    /// <summary>Boot control of a disk.</summary>
    /// <param name="disk">The whole disk, or a disk image.</param>
    /// <param name="autoboot">Partition 1, disposed with this.</param>
    /// <param name="boot">The slots' boot partitions by the slots' names, disposed with this.</param>
    /// <param name="imageId">Id of the image that runs.</param>
    /// <param name="root">Where <c>/proc</c> and <c>/run</c> are.</param>
    /// <param name="files">How files on boot partitions are changed.</param>
    public TrybootControl(string disk, EspMount autoboot, IReadOnlyDictionary<string, EspMount> boot, string imageId, string root = "/", EspFiles? files = null)
    {
        (_disk, _autoboot, _boot, _imageId, _root) = (disk, autoboot, boot, imageId, root);
        _files = files ?? new EspFiles([autoboot, .. boot.Values]);
        _verdicts = new SlotVerdicts(autoboot.Folder, _files);
    }

    /// <summary>True where this firmware started the kernel; a Raspberry Pi may have UEFI in between.</summary>
    public static bool IsHere(string root) => Directory.Exists(Path.Combine(root, Chosen)) && !Directory.Exists(Path.Combine(root, "sys/firmware/efi"));

    /// <summary>Boot control of the disk that runs.</summary>
    /// <exception cref="UserError">It does not run from a disk of ours.</exception>
    public static async Task<TrybootControl> OpenAsync(string root, CancellationToken cancellationToken)
    {
        var disk = BootScheme.FindDisk(root);
        var table = await GptTable.ReadAsync(disk, cancellationToken);
        var mounts = new List<EspMount>();
        try
        {
            foreach (var number in Layout.Select(slot => slot.Boot).Prepend(AutobootPartition)) mounts.Add(EspMount.Find(table[number], root));
            return new TrybootControl(disk, mounts[0], Layout.Zip(mounts.Skip(1)).ToDictionary(pair => pair.First.Name, pair => pair.Second), Device.ImageIdentity.Read(root).Id, root);
        }
        catch
        {
            mounts.ForEach(mount => mount.Dispose());
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<SlotStatus>> ReadSlotsAsync(CancellationToken cancellationToken)
    {
        var disk = await ReadDiskAsync(cancellationToken);
        return [.. disk.Slots.Select(slot => Judge(slot, disk))];
    }

    /// <inheritdoc/>
    public async Task<RunningSlot> ReadRunningAsync(CancellationToken cancellationToken)
    {
        var running = (await ReadDiskAsync(cancellationToken)).Running;
        return new RunningSlot(File.Exists(running.Root.Node) ? running.Root.Node : null, HasBootImage(running) ? BootImageOf(running) : null);
    }

    /// <inheritdoc/>
    public async Task<TargetSlot> ChooseTargetAsync(string version, CancellationToken cancellationToken)
    {
        var disk = await ReadDiskAsync(cancellationToken);
        var target = disk.Other;
        DiskSlot.CheckInstall(version, Judge(disk.Running, disk), Judge(target, disk));
        var slot = new TargetSlot
        {
            Root = DiskSlot.Region(disk.Table, target.Root),
            Verity = DiskSlot.Region(disk.Table, target.Verity),
            Uki = BootImageOf(target),
            Rename = _files.Rename,
            Delete = path =>
            {
                // The first thing that goes of a slot, and somebody may have started this one by hand: what boots is what runs.
                Keep(disk, disk.Running);
                _files.Delete(path);
            },
            Marker = new PreparedMarker(new GptSlotMarker(_disk, _imageId, target.Root.Number, target.Verity.Number), () => Prepare(disk)),
        };
        Tidy(slot);
        return slot;
    }

    /// <inheritdoc/>
    public async Task MarkGoodAsync(CancellationToken cancellationToken)
    {
        var disk = await ReadDiskAsync(cancellationToken);
        // The kept slot is good by being the kept one, so what was it until now has to be noted down before.
        if (disk.Kept != disk.Running && Judge(disk.Kept, disk).State == SlotState.Good) Note(disk, disk.Kept, SlotState.Good);
        Keep(disk, disk.Running);
        Note(disk, disk.Running, null);
    }

    /// <inheritdoc/>
    public async Task MarkBadAsync(string slot, CancellationToken cancellationToken)
    {
        var disk = await ReadDiskAsync(cancellationToken);
        var bad = DiskSlot.Find(disk.Slots, slot);
        if (Judge(bad, disk).State == SlotState.Empty) return;
        var rest = disk.Slots.Single(candidate => candidate != bad);
        DiskSlot.CheckGiveUp(Judge(bad, disk), Judge(rest, disk));
        // The partition last: a note without it changes nothing, and doing it again ends the same.
        Note(disk, bad, SlotState.Bad);
        Keep(disk, rest);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Only the restart itself can say that the slot on trial is to be tried again. The firmware would do that for ever, so the
    /// tries given back are counted, before the restart is asked for: a cut in between costs the try.
    /// </remarks>
    public async Task<string?> GiveBackTryAsync(CancellationToken cancellationToken)
    {
        var disk = await ReadDiskAsync(cancellationToken);
        if (ReadNumber("tryboot") != 1 || disk.Running == disk.Kept || Judge(disk.Running, disk).State != SlotState.Trial) return "it is not on trial";
        var starts = _verdicts.CountGivenBack(disk.Running.RootHash) + 1;
        if (starts >= BootRow.Limit) return $"it was started {starts} times, and there is no verdict on it";
        _verdicts.GiveBack(disk.Running.RootHash, Present(disk));
        await PrepareRestartAsync(cancellationToken);
        return null;
    }

    /// <inheritdoc/>
    public Task PrepareRestartAsync(CancellationToken cancellationToken)
    {
        var path = Path.Combine(_root, RebootParameterFile);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        DurableFile.Write(path, "0 tryboot"u8, DurableFile.Readable);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _autoboot.Dispose();
        foreach (var mount in _boot.Values) mount.Dispose();
    }

    /// <summary>Before a slot's content goes: no boot without a question leads into it, and no verdict on it is left.</summary>
    private void Prepare(Disk disk)
    {
        Keep(disk, disk.Running);
        Note(disk, disk.Other, null);
    }

    /// <summary>A cut at an installation's end may have left the half-written file as a second name of the boot image, which goes next.</summary>
    private void Tidy(TargetSlot slot)
    {
        if (HasContent(slot.Uki) && HasContent(slot.PartialUki) && _files.MayShareClusters(slot.Uki, slot.PartialUki)) _files.SetAside(slot.PartialUki);
    }

    private void Keep(Disk disk, DiskSlot slot)
    {
        var wanted = new AutobootFile(PartitionOf(slot), PartitionOf(disk.Slots.Single(other => other != slot)));
        if (wanted != disk.Autoboot) _files.Write(Path.Combine(_autoboot.Folder, AutobootFile.Name), wanted.ToString());
    }

    private void Note(Disk disk, DiskSlot slot, SlotState? verdict) => _verdicts.Set(slot.RootHash, verdict, Present(disk));

    private static IReadOnlyCollection<string> Present(Disk disk) => [.. disk.Slots.Select(slot => slot.RootHash)];

    private SlotStatus Judge(DiskSlot slot, Disk disk)
    {
        var running = slot == disk.Running;
        var state = slot.Label is null || !HasBootImage(slot) ? SlotState.Empty
            : _verdicts.Find(slot.RootHash) ?? (slot == disk.Kept ? SlotState.Good : SlotState.Trial);
        return slot.Describe(_imageId, running, state) with { TriesLeft = state != SlotState.Trial ? null : running ? 0 : 1, TriesDone = state == SlotState.Trial && running ? 1 : 0 };
    }

    private async Task<Disk> ReadDiskAsync(CancellationToken cancellationToken)
    {
        var table = await GptTable.ReadAsync(_disk, cancellationToken);
        IReadOnlyList<DiskSlot> slots = [.. Layout.Select(slot => new DiskSlot(slot.Name, table[slot.Root], table[slot.Verity]))];
        var autoboot = AutobootFile.Read(_autoboot.Folder);
        var kept = slots.FirstOrDefault(slot => PartitionOf(slot) == autoboot.Kept) ?? throw new UserError($"{AutobootFile.Name} boots partition {autoboot.Kept}, which is no slot's.", "Slots are on partitions 2 and 3.");
        return new Disk(table, slots, FindRunning(slots), kept, autoboot);
    }

    /// <summary>The slot the firmware says it started, which has the root hash the kernel was started with.</summary>
    private DiskSlot FindRunning(IReadOnlyList<DiskSlot> slots)
    {
        var (partition, hash) = (ReadNumber("partition"), DeviceFacts.ReadRootHash(_root));
        return slots.FirstOrDefault(slot => PartitionOf(slot) == partition && slot.HasRootHash(hash))
            ?? throw new UserError($"Which slot of {_disk} runs cannot be told: the firmware started partition {partition?.ToString() ?? "(unknown)"}, and its slot does not have the root hash {(hash.Length > 0 ? hash : "(none)")} the kernel was started with.", "Reboot; write the disk anew when that does not help.");
    }

    /// <summary>A number the firmware left in the device tree, big-endian as all of it.</summary>
    private uint? ReadNumber(string name)
    {
        var path = Path.Combine(_root, Chosen, name);
        return File.Exists(path) && File.ReadAllBytes(path) is { Length: sizeof(uint) } bytes ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : null;
    }

    private static int PartitionOf(DiskSlot slot) => Layout.Single(entry => entry.Name == slot.Name).Boot;

    private string BootImageOf(DiskSlot slot) => Path.Combine(_boot[slot.Name].Folder, BootImage);

    private bool HasBootImage(DiskSlot slot) => HasContent(BootImageOf(slot));

    private static bool HasContent(string path) => new FileInfo(path) is { Exists: true, Length: > 0 };

    private sealed record Disk(GptTable Table, IReadOnlyList<DiskSlot> Slots, DiskSlot Running, DiskSlot Kept, AutobootFile Autoboot)
    {
        public DiskSlot Other => Slots.Single(slot => slot != Running);
    }
}
