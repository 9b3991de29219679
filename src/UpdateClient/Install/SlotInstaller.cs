using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Images;
using Appliance.Core.Verity;

namespace Appliance.UpdateClient.Install;

/// <summary>
/// Carries a plan out. The order is what keeps the device bootable: the slot is marked empty and its boot entries go before the
/// first byte is written; root and hash tree are on the disk and right before the slot is marked; the boot entry appears last.
/// </summary>
internal sealed class SlotInstaller(IRepositorySource source, UpdatePlan plan, TargetSlot slot, UpdateOptions options, IProgress<UpdateProgress>? progress) : IAsyncDisposable
{
    private readonly PayloadRun _run = new(source, plan, options, progress);

    /// <summary>Installs.</summary>
    /// <exception cref="UserError">Something a person can mend; what was written is kept for the next run.</exception>
    public async Task<UpdateResult> RunAsync(CancellationToken cancellationToken)
    {
        var root = plan.Payloads.Single(payload => payload.Payload.Kind == BundlePayloadKind.Root);
        var uki = plan.Payloads.SingleOrDefault(payload => payload.Payload.Kind == BundlePayloadKind.Uki);
        var tree = new VerityGeometry(root.Payload.Size);
        if (uki is not null) RequireRoom(uki.Payload.Size);
        using (var rootTarget = BlockTarget.Open(slot.Root, root.Payload.Size))
        using (var verityTarget = BlockTarget.Open(slot.Verity, tree.Size))
        {
            var resume = await BeginAsync(cancellationToken);
            await WriteRootAsync(root, rootTarget, verityTarget, resume, cancellationToken);
            if (uki is not null) await WriteUkiAsync(uki, resume, cancellationToken);
        }
        await CommitAsync(uki is not null, cancellationToken);
        return _run.Finish();
    }

    public ValueTask DisposeAsync() => _run.DisposeAsync();

    /// <summary>Before anything is touched: the boot partition has room for the entry once those that go have gone.</summary>
    private void RequireRoom(long needed)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(slot.Uki))!;
        if (!Directory.Exists(folder)) return; // its error comes with the first write
        var freed = slot.OldUkis.Append(slot.Uki).Append(slot.PartialUki).Distinct().Select(path => new FileInfo(path)).Where(file => file.Exists).Sum(file => file.Length);
        var room = new DriveInfo(folder).AvailableFreeSpace + freed;
        if (room < needed)
            throw new UserError($"The boot partition has room for {ByteSize.Format(room)}, and the boot entry of version {plan.Release.Header.Version} has {ByteSize.Format(needed)}.", "The image has outgrown this device's boot partition: flash it anew, or publish a smaller image.");
    }

    /// <summary>Makes the slot unbootable, then notes down what will be in it. True when an earlier run began the same.</summary>
    private async Task<bool> BeginAsync(CancellationToken cancellationToken)
    {
        var journal = InstallJournal.For(plan, slot);
        var resume = InstallJournal.TryRead(options.StateFolder) == journal;
        ChangeEntries(() =>
        {
            foreach (var old in slot.OldUkis.Append(slot.Uki)) slot.Delete(old);
        });
        await slot.Marker.MarkEmptyAsync(cancellationToken);
        slot.Emptied?.Invoke();
        if (resume) return true;
        // Emptied and not replaced: the plan may have it open.
        if (File.Exists(slot.PartialUki)) using (var partial = File.OpenHandle(slot.PartialUki, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) RandomAccess.SetLength(partial, 0);
        PatchSpool.Clear(options.StateFolder);
        WriteState(() => journal.Write(options.StateFolder));
        return false;
    }

    private async Task WriteRootAsync(PayloadPlan root, BlockTarget target, BlockTarget verity, bool resume, CancellationToken cancellationToken)
    {
        var header = plan.Release.Header;
        var salt = Convert.FromHexString(header.Salt!);
        var tree = new VerityTreeWriter(root.Payload.Size, salt, ImageIdentity.NameBased(header.Id, "verity"), (offset, bytes) => verity.Write(bytes, offset));
        await using var writer = _run.NewWriter(root, target, tree, salt);
        await _run.WriteAsync(root, writer, resume, cancellationToken);
        _run.Begin(UpdatePhase.Finishing);
        target.Trim(root.Payload.Size);
        await writer.SyncAsync();
        // Every window was right, so a wrong root hash means that manifest and header do not belong together.
        var rootHash = tree.Finish();
        if (rootHash != header.RootHash)
            throw new UserError($"The root hash of version {header.Version} comes out as {rootHash}, and the bundle says {header.RootHash}. The slot is left empty.", "The bundle was made wrongly: build it again and publish it as a new version.");
        verity.Trim(tree.Geometry.Size);
        verity.Sync();
    }

    private async Task WriteUkiAsync(PayloadPlan uki, bool resume, CancellationToken cancellationToken)
    {
        using var target = BlockTarget.Open(new SlotRegion(slot.PartialUki), uki.Payload.Size);
        await using var writer = _run.NewWriter(uki, target);
        await _run.WriteAsync(uki, writer, resume, cancellationToken);
        _run.Begin(UpdatePhase.Finishing);
        target.Trim(uki.Payload.Size);
        await writer.SyncAsync();
    }

    /// <summary>From here on the slot boots.</summary>
    private async Task CommitAsync(bool hasUki, CancellationToken cancellationToken)
    {
        var header = plan.Release.Header;
        var (root, verity) = ImageIdentity.PartitionIds(header.RootHash!);
        await slot.Marker.MarkInstalledAsync(ImageIdentity.SlotLabel(header.Id, header.Version), root, verity, cancellationToken);
        // Marking is not broken off; what was stopped meanwhile does not boot.
        cancellationToken.ThrowIfCancellationRequested();
        if (hasUki) ChangeEntries(() => slot.Rename(slot.PartialUki, Path.GetFullPath(slot.Uki)));
        PatchSpool.Clear(options.StateFolder);
        InstallJournal.Delete(options.StateFolder);
    }

    private void WriteState(Action write) => Explain(write, $"The state folder {options.StateFolder}", "Free space on the data partition, or check that it is mounted and writable.");

    private void ChangeEntries(Action change) => Explain(change, $"The boot entry {slot.Uki}", "Check the boot partition: it may be mounted read-only, or failing (the kernel's messages say so).");

    private static void Explain(Action write, string what, string hint)
    {
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{what} cannot be written: {e.Message}", hint, e);
        }
    }
}
