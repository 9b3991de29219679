using Appliance.Core;
using Appliance.Supervisor.Device;
using Appliance.UpdateClient.Install;
using DeviceFacts = Appliance.Supervisor.Device.DeviceFacts;
using OnDevice = Appliance.Supervisor.Device.RunningSlot;
using RunningSlot = Appliance.UpdateClient.Install.RunningSlot;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// systemd-boot with Automatic Boot Assessment: a slot is two partitions, and the name of its boot entry on the ESP says what it
/// is worth. Nothing is kept anywhere else.
/// </summary>
internal sealed class SystemdBootControl : IBootControl, IDisposable
{
    private const int Tries = 3;
    private readonly string _disk;
    private readonly EspMount _esp;
    private readonly string _imageId;
    private readonly string _root;
    private readonly EspFiles _files;
    private readonly BootEntries _entries;

    /// <summary>Boot control of a disk.</summary>
    /// <param name="disk">The whole disk, or a disk image.</param>
    /// <param name="esp">Its ESP, disposed with this.</param>
    /// <param name="imageId">Id of the image that runs.</param>
    /// <param name="root">Where <c>/proc</c> and <c>/sys</c> are.</param>
    /// <param name="files">How files on the ESP are changed.</param>
    public SystemdBootControl(string disk, EspMount esp, string imageId, string root = "/", EspFiles? files = null)
    {
        (_disk, _esp, _imageId, _root) = (disk, esp, imageId, root);
        _files = files ?? new EspFiles(esp);
        _entries = new BootEntries(Path.Combine(esp.Folder, "EFI", "Linux"), _files);
    }

    /// <summary>Boot control of the disk that runs.</summary>
    /// <exception cref="UserError">It does not run from a disk of ours.</exception>
    public static async Task<SystemdBootControl> OpenAsync(string root, CancellationToken cancellationToken)
    {
        var disk = BootScheme.FindDisk(root);
        var table = await GptTable.ReadAsync(disk, cancellationToken);
        return new SystemdBootControl(disk, EspMount.Find(table, root), ImageIdentity.Read(root).Id, root);
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
        var disk = await ReadDiskAsync(cancellationToken);
        var root = disk.Running.Root.Node;
        return new RunningSlot(File.Exists(root) ? root : null, EntryOf(disk.Running, disk)?.Path);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// A default or one-shot entry that somebody set would boot instead of the new version; it goes with the slot's content. (One
    /// that names an entry which is not there does no harm: systemd-boot passes over it.)
    /// </remarks>
    public async Task<TargetSlot> ChooseTargetAsync(string version, CancellationToken cancellationToken)
    {
        var disk = await ReadDiskAsync(cancellationToken);
        var target = disk.Other;
        DiskSlot.CheckInstall(version, Judge(disk.Running, disk), Judge(target, disk));
        var stay = new List<string>();
        if (disk.Running.Label is { } running) stay.Add(running);
        // Whatever the boot loader says it booted stays as well, even under a name that no slot has.
        if (EfiVariable.TryReadText(_root, EfiVariable.EntrySelected) is { Length: > 0 } selected) stay.Add(BootEntry.Parse(selected).Stem);
        _entries.Tidy();
        var label = Core.Images.ImageIdentity.SlotLabel(_imageId, version);
        var slot = new TargetSlot
        {
            Root = DiskSlot.Region(disk.Table, target.Root),
            Verity = DiskSlot.Region(disk.Table, target.Verity),
            Uki = Path.Combine(_entries.Folder, BootEntry.NameOf(label, new BootCount(Tries, 0))),
            Rename = _files.Rename,
            Delete = _files.Delete,
            Marker = new PreparedMarker(new GptSlotMarker(_disk, _imageId, target.Root.Number, target.Verity.Number), ClearChoice),
        };
        return slot with { OldUkis = _entries.FindReplaced(stay, slot.PartialUki) };
    }

    /// <inheritdoc/>
    /// <remarks>systemd-boot would pass over an older version for a newer one that is good: it is named for one boot, which is its only try.</remarks>
    public async Task PrepareRestartAsync(CancellationToken cancellationToken)
    {
        var disk = await ReadDiskAsync(cancellationToken);
        StartNext(disk.Other, disk.Running, disk);
    }

    /// <inheritdoc/>
    /// <remarks>A newer version in the other slot would be started again: whoever keeps an older one gives it up.</remarks>
    public async Task MarkGoodAsync(CancellationToken cancellationToken)
    {
        var disk = await ReadDiskAsync(cancellationToken);
        _entries.Tidy();
        if (EntryOf(disk.Running, disk) is not { } entry) return;
        try
        {
            _entries.Recount(entry, null);
        }
        catch (FileNotFoundException) when (File.Exists(entry.PathWith(null)))
        {
            // systemd-bless-boot was faster.
        }
        if (Outranks(disk.Other, disk.Running, disk)) _entries.Recount(EntryOf(disk.Other, disk)!, new BootCount(0, 1));
    }

    /// <inheritdoc/>
    public async Task MarkBadAsync(string slot, CancellationToken cancellationToken)
    {
        var disk = await ReadDiskAsync(cancellationToken);
        var bad = DiskSlot.Find(disk.Slots, slot);
        if (EntryOf(bad, disk) is not { } entry) return;
        DiskSlot.CheckGiveUp(Judge(bad, disk), Judge(disk.Slots.Single(candidate => candidate != bad), disk));
        _entries.Tidy();
        ClearChoice();
        var count = new BootCount(0, Math.Max(1, entry.Count?.Done ?? 0));
        // Given up while it runs, it must read otherwise than in its last try, which has no tries left already; and otherwise than
        // systemd-bless-boot would call it bad (+0-DONE), because it takes that for good again when the checks pass after all.
        _entries.Recount(entry, count.Done == BootCount.Read(_root)?.Done ? count with { Done = count.Done + 1 } : count);
    }

    /// <inheritdoc/>
    public async Task<string?> GiveBackTryAsync(CancellationToken cancellationToken)
    {
        var disk = await ReadDiskAsync(cancellationToken);
        // Only the try that this boot is: an entry that was given up meanwhile, or called good, has another name.
        if (EntryOf(disk.Running, disk) is not { Count: { Done: > 0 } count } entry || count != BootCount.Read(_root)) return "it is not on trial any more";
        _entries.Tidy();
        _entries.Recount(entry, new BootCount(count.Left + 1, count.Done - 1));
        StartNext(disk.Running, disk.Other, disk);
        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => _esp.Dispose();

    /// <summary>True when a slot is good and newer: the boot loader takes it before the other one, whatever that one has left.</summary>
    private bool Outranks(DiskSlot slot, DiskSlot other, Disk disk) =>
        Judge(slot, disk) is { State: SlotState.Good, Version: { } version } && Judge(other, disk).Version is { } lower && UapiVersion.Compare(version, lower) > 0;

    /// <summary>Names a slot for the next boot where the boot loader would take its rival.</summary>
    private void StartNext(DiskSlot slot, DiskSlot rival, Disk disk)
    {
        if (Outranks(rival, slot, disk)) EfiVariable.Write(_root, EfiVariable.EntryOneShot, BootEntry.NameOf(slot.Label!, null));
    }

    private void ClearChoice()
    {
        EfiVariable.Delete(_root, EfiVariable.EntryDefault);
        EfiVariable.Delete(_root, EfiVariable.EntryOneShot);
    }

    private SlotStatus Judge(DiskSlot slot, Disk disk)
    {
        var count = EntryOf(slot, disk)?.Count;
        var running = slot == disk.Running;
        var state = EntryOf(slot, disk) switch
        {
            null => SlotState.Empty,
            { Count: null } => SlotState.Good,
            { Count.Left: > 0 } => SlotState.Trial,
            // The boot loader counts a try when it begins: what runs in its last one has none left and is not bad yet.
            _ => running && count == BootCount.Read(_root) ? SlotState.Trial : SlotState.Bad,
        };
        return slot.Describe(_imageId, running, state) with { TriesLeft = count?.Left, TriesDone = count?.Done ?? 0 };
    }

    /// <summary>A slot's boot entry. Where both slots have the same label, there is one entry, and it is what runs.</summary>
    private BootEntry? EntryOf(DiskSlot slot, Disk disk) =>
        slot.Label is { } label && (slot == disk.Running || disk.Running.Label != label) ? _entries.Find(label) : null;

    private async Task<Disk> ReadDiskAsync(CancellationToken cancellationToken)
    {
        var table = await GptTable.ReadAsync(_disk, cancellationToken);
        IReadOnlyList<DiskSlot> slots = [new("a", table[2], table[3]), new("b", table[4], table[5])];
        return new Disk(table, slots, slots.Single(slot => slot.Name == FindRunning(slots)));
    }

    /// <summary>The slot with the root hash the kernel was started with. Labels do not tell: both slots may have the same.</summary>
    private string FindRunning(IReadOnlyList<DiskSlot> slots)
    {
        var hash = DeviceFacts.ReadRootHash(_root);
        var byHash = slots.Where(slot => slot.HasRootHash(hash)).Select(slot => slot.Name).ToList();
        var byDevice = OnDevice.Read(_root).Name;
        if (byHash is [var name] && (byDevice == name || byDevice == OnDevice.UnknownName)) return name;
        if (byHash is not [_] && byDevice != OnDevice.UnknownName) return byDevice;
        throw new UserError($"Which slot of {_disk} runs cannot be told: its partition table does not fit the root hash {(hash.Length > 0 ? hash : "(none)")} the kernel was started with.", "Reboot; write the disk anew when that does not help.");
    }

    private sealed record Disk(GptTable Table, IReadOnlyList<DiskSlot> Slots, DiskSlot Running)
    {
        public DiskSlot Other => Slots.Single(slot => slot != Running);
    }
}
