using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Images;
using Appliance.Supervisor.Updates;

namespace Appliance.Supervisor.State;

/// <summary>Takes a snapshot: copied beside, synced, renamed. Before the rename there is none.</summary>
internal sealed class StateTaking(StateLayout layout, StateDisk disk, TimeProvider time)
{
    /// <summary>Left free, so that a snapshot does not leave a device that cannot even log.</summary>
    private const long Reserve = 16 << 20;

    /// <summary>Bytes kept for the restore.</summary>
    private const int Spare = 256 << 10;

    /// <summary>SQLite's files beside a database's own: the database is whole only with them, and broken with those of another.</summary>
    internal static readonly string[] Companions = ["-wal", "-shm", "-journal"];

    /// <summary>Takes it.</summary>
    /// <exception cref="UserError">There is no room for it.</exception>
    public async Task<StateSnapshot> TakeAsync(TrialRecord trial, IReadOnlyList<string> paths, CancellationToken cancellationToken)
    {
        disk.Remove(layout.Making);
        var made = File.Exists(layout.MadeByInitrd) ? File.ReadAllLines(layout.MadeByInitrd) : [];
        var items = new List<SnapshotItem>();
        foreach (var path in paths.SelectMany(WithCompanions)) items.Add(await DescribeAsync(path, made, cancellationToken));
        var snapshot = new StateSnapshot { From = trial.From, Version = trial.Version, Slot = trial.Slot, BootId = layout.BootId, TakenAt = Now(), Items = items };
        CheckRoom(snapshot);
        try
        {
            await WriteAsync(snapshot, cancellationToken);
            return snapshot;
        }
        catch (UserError e)
        {
            disk.Remove(layout.Making);
            throw NoRoom(snapshot, e.Message);
        }
        catch (IOException)
        {
            disk.Remove(layout.Making);
            throw;
        }
    }

    /// <summary>The clock, or just after the last snapshot: their order is by time, and a clock without a battery goes back.</summary>
    private DateTimeOffset Now()
    {
        var now = time.GetUtcNow();
        return StateSnapshot.ReadAll(layout.Snapshots) is [.., { TakenAt: var last }] && last >= now ? last + TimeSpan.FromMilliseconds(1) : now;
    }

    private async Task WriteAsync(StateSnapshot snapshot, CancellationToken cancellationToken)
    {
        disk.CreateFolder(layout.Making, FolderMode.Open);
        disk.CreateFolder(StateSnapshot.Data(layout.Making), FolderMode.Private);
        for (var i = 0; i < snapshot.Items.Count; i++)
            if (snapshot.Items[i].Kind != SnapshotKind.Absent)
                await disk.CopyAsync(layout.InPlace(snapshot.Items[i].Path), Path.Combine(StateSnapshot.Data(layout.Making), i.ToString()), cancellationToken);
        disk.Write(StateSnapshot.Spare(layout.Making), new byte[Spare]);
        disk.Write(StateSnapshot.Manifest(layout.Making), JsonSerializer.SerializeToUtf8Bytes(snapshot, StateJson.Default.StateSnapshot));
        disk.Sync(layout.Making);
        disk.Move(layout.Making, Path.Combine(layout.Snapshots, snapshot.Name));
        disk.Sync(layout.Snapshots);
    }

    private async Task<SnapshotItem> DescribeAsync(string path, string[] made, CancellationToken cancellationToken)
    {
        var place = layout.InPlace(path);
        return !StateDisk.Exists(place) || made.Any(other => path == other || path.StartsWith(other + "/", StringComparison.Ordinal)) ? new SnapshotItem { Path = path, Kind = SnapshotKind.Absent }
            : new SnapshotItem { Path = path, Kind = StateDisk.IsFolder(place) ? SnapshotKind.Folder : SnapshotKind.File, Bytes = await StateDisk.SizeAsync(place, cancellationToken) };
    }

    private IEnumerable<string> WithCompanions(string path) =>
        StateDisk.IsFolder(layout.InPlace(path)) || StateLayout.IsPersisted(path) ? [path] : [path, .. Companions.Select(ending => path + ending)];

    private void CheckRoom(StateSnapshot snapshot)
    {
        var (needed, free) = (snapshot.Items.Sum(item => item.Bytes), new DriveInfo(layout.Snapshots).AvailableFreeSpace);
        if (needed + Reserve > free) throw NoRoom(snapshot, $"{ByteSize.Format(needed + Reserve)} are needed, {ByteSize.Format(free)} are free.");
    }

    private static UserError NoRoom(StateSnapshot snapshot, string detail) =>
        new($"The data partition has no room to keep the state of {snapshot.From} aside, so {snapshot.Version} cannot be tried: {detail}", $"Free space on the data partition, then install {snapshot.Version} again.");
}
