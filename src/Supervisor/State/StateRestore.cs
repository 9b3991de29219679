using System.Text.Json;
using Appliance.Core;

namespace Appliance.Supervisor.State;

/// <summary>
/// Puts a snapshot back by renames, so that it needs no room. Every step can be seen on the disk, and a restore that was
/// interrupted does the steps that are left: an item that is not in the snapshot any more is in its place.
/// <para>
/// Folders and persisted files keep their inode and get new content: a folder may be a mount point, and what the initrd bound
/// over /etc would otherwise go on showing the content that was taken away.
/// </para>
/// </summary>
internal sealed class StateRestore(StateLayout layout, StateDisk disk, TimeProvider time)
{
    /// <summary>Begins: from here on it will be finished, at this boot or a later one.</summary>
    public async Task<RestoreReport> RestoreAsync(StateSnapshot snapshot, CancellationToken cancellationToken)
    {
        disk.Remove(layout.Discarded);
        var journal = new RestoreJournal { Snapshot = snapshot, Report = Describe(snapshot) };
        disk.Remove(StateSnapshot.Spare(Path.Combine(layout.Snapshots, snapshot.Name)));
        disk.Write(layout.Journal, JsonSerializer.SerializeToUtf8Bytes(journal, StateJson.Default.RestoreJournal));
        return await FinishAsync(journal, cancellationToken);
    }

    /// <summary>Finishes a restore that was interrupted, if there is one.</summary>
    public async Task<RestoreReport?> ResumeAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(layout.Journal)) return null;
        try
        {
            return await FinishAsync(JsonSerializer.Deserialize(File.ReadAllBytes(layout.Journal), StateJson.Default.RestoreJournal)!, cancellationToken);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{layout.Journal} is damaged: {e.Message}", e);
        }
    }

    private async Task<RestoreReport> FinishAsync(RestoreJournal journal, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(layout.Snapshots, journal.Snapshot.Name);
        if (Directory.Exists(folder))
        {
            disk.CreateFolder(layout.Discarded, FolderMode.Private);
            for (var i = 0; i < journal.Snapshot.Items.Count; i++) await PutBackAsync(journal.Snapshot.Items[i], i, StateSnapshot.Data(folder), cancellationToken);
            disk.Sync(layout.Snapshots);
            disk.Move(folder, Path.Combine(layout.Discarded, "snapshot"));
        }
        disk.Write(layout.Report, JsonSerializer.SerializeToUtf8Bytes(journal.Report, StateJson.Default.RestoreReport));
        disk.Remove(layout.Journal);
        disk.Sync(layout.Snapshots);
        disk.Remove(layout.Discarded);
        return journal.Report;
    }

    private async Task PutBackAsync(SnapshotItem item, int number, string data, CancellationToken cancellationToken)
    {
        var (kept, place, discarded) = (Path.Combine(data, number.ToString()), layout.InPlace(item.Path), Path.Combine(layout.Discarded, number.ToString()));
        if (item.Kind == SnapshotKind.Absent)
        {
            if (StateDisk.Exists(place)) Discard(place, discarded);
            return;
        }
        if (!StateDisk.Exists(kept)) return; // done before the power went
        if (item.Kind == SnapshotKind.Folder) await PutBackFolderAsync(kept, place, discarded, cancellationToken);
        else await PutBackFileAsync(kept, place, discarded, StateLayout.IsPersisted(item.Path), cancellationToken);
    }

    private async Task PutBackFolderAsync(string kept, string place, string discarded, CancellationToken cancellationToken)
    {
        // First everything there is goes away; the name without an ending says that it is gone, and what is there later is ours.
        if (!Directory.Exists(discarded))
        {
            var leaving = discarded + ".leaving";
            disk.CreateFolder(leaving, FolderMode.Private);
            if (StateDisk.IsFolder(place)) foreach (var entry in Entries(place)) Discard(entry, Path.Combine(leaving, Path.GetFileName(entry)));
            else if (StateDisk.Exists(place)) Discard(place, Path.Combine(leaving, "file"));
            disk.CreateFolder(place, FolderMode.Private);
            SyncBoth(place);
            disk.Move(leaving, discarded);
            disk.Sync(layout.Discarded);
        }
        foreach (var entry in Entries(kept))
        {
            var target = Path.Combine(place, Path.GetFileName(entry));
            disk.Remove(target); // made by somebody at a boot in between, such as systemd-tmpfiles
            await RelocateAsync(entry, target, Path.Combine(discarded + ".copied", Path.GetFileName(entry)), cancellationToken);
        }
        await disk.CopyAsync(kept, place, cancellationToken); // empty by now: owner, mode and attributes of the folder itself
        SyncBoth(place);
        disk.Remove(kept);
    }

    private async Task PutBackFileAsync(string kept, string place, string discarded, bool persisted, CancellationToken cancellationToken)
    {
        var bound = persisted && File.Exists(place) && new FileInfo(place).LinkTarget is null && new FileInfo(kept).LinkTarget is null;
        if (!bound)
        {
            if (StateDisk.Exists(place)) Discard(place, discarded);
            disk.CreateFolder(Path.GetDirectoryName(place)!, FolderMode.Open);
            await RelocateAsync(kept, place, Path.Combine(discarded + ".copied", "file"), cancellationToken);
            SyncBoth(Path.GetDirectoryName(place)!);
            return;
        }
        await disk.CopyAsync(kept, place, cancellationToken); // into the same file; again from the start when it is interrupted
        SyncBoth(Path.GetDirectoryName(place)!);
        disk.Remove(kept);
    }

    /// <summary>From another file system it is deleted at once: to bring it over would need room.</summary>
    private void Discard(string path, string to)
    {
        disk.Remove(to);
        if (!disk.TryMove(path, to)) disk.Remove(path);
    }

    /// <summary>To another file system by a copy and a rename there; the original leaves the snapshot whole, and only then.</summary>
    private async Task RelocateAsync(string from, string to, string copied, CancellationToken cancellationToken)
    {
        if (disk.TryMove(from, to)) return;
        var folder = Path.GetDirectoryName(to)!;
        var beside = Path.Combine(folder, ".appliance-restoring");
        disk.Remove(beside);
        await disk.CopyAsync(from, beside, cancellationToken);
        disk.Sync(folder);
        disk.Move(beside, to);
        disk.Sync(folder);
        disk.CreateFolder(Path.GetDirectoryName(copied)!, FolderMode.Private);
        disk.Remove(copied);
        disk.Move(from, copied);
    }

    private void SyncBoth(string place)
    {
        disk.Sync(place);
        disk.Sync(layout.Snapshots);
    }

    private RestoreReport Describe(StateSnapshot snapshot)
    {
        var (bytes, newest, paths) = (0L, (DateTimeOffset?)null, new List<string>());
        foreach (var item in snapshot.Items)
        {
            var place = layout.InPlace(item.Path);
            if (item.Kind == SnapshotKind.Absent && !StateDisk.Exists(place)) continue;
            paths.Add(item.Path);
            foreach (var file in Files(place))
            {
                bytes += file.Length;
                if (newest is null || file.LastWriteTimeUtc > newest) newest = file.LastWriteTimeUtc;
            }
        }
        return new RestoreReport { At = time.GetUtcNow(), From = snapshot.Version, To = snapshot.From, TakenAt = snapshot.TakenAt, Paths = paths, BytesDiscarded = bytes, NewestDiscarded = newest };
    }

    private static IEnumerable<FileInfo> Files(string place)
    {
        if (!StateDisk.IsFolder(place)) return StateDisk.Exists(place) ? [new FileInfo(place)] : [];
        var everything = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false };
        return new DirectoryInfo(place).EnumerateFiles("*", everything);
    }

    private static List<string> Entries(string folder) => Directory.EnumerateFileSystemEntries(folder).ToList();
}
