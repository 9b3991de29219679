using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Images;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using Serilog;

namespace Appliance.Supervisor.State;

/// <summary>
/// State that goes back with its version: kept aside before anything of a new version runs, put back when the old version runs
/// again, given up when the new one is kept (docs/state.md).
/// </summary>
internal sealed class StateSnapshots(StateLayout layout, StateDisk disk, TimeProvider time)
{
    private readonly StateTaking _taking = new(layout, disk, time);
    private readonly StateRestore _restore = new(layout, disk, time);

    /// <summary>The snapshots there are; for surfaces, without privileges.</summary>
    public IReadOnlyList<StateSnapshot> List() => StateSnapshot.ReadAll(layout.Snapshots);

    /// <summary>What the last restore discarded; null when there was none since a version was last kept.</summary>
    public RestoreReport? LastRestore() => File.Exists(layout.Report) ? JsonSerializer.Deserialize(File.ReadAllBytes(layout.Report), StateJson.Default.RestoreReport) : null;

    /// <summary>What a boot owes to the state, before anything else of it runs. A boot that was interrupted here is made up for at the next.</summary>
    /// <exception cref="UserError">There is no room for a snapshot.</exception>
    /// <exception cref="InvalidDataException">A record is damaged.</exception>
    /// <exception cref="IOException">The data partition fails.</exception>
    public async Task RunAtBootAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(layout.Snapshots)) disk.CreateFolder(layout.Snapshots, FolderMode.Open);
        // A restore that began is finished first, also when it is the new version that boots now.
        if (await _restore.ResumeAsync(cancellationToken) is { } resumed) Tell(resumed);
        foreach (var leftover in Directory.EnumerateFileSystemEntries(layout.Snapshots, ".*").ToList()) disk.Remove(leftover);

        var trial = TrialRecord.TryRead(layout.Trial);
        var (running, slot) = (Device.ImageIdentity.Read(layout.Root).Version, new Lazy<string>(() => RunningSlot.Read(layout.Root).Name));
        if (trial is not null && IsRunning(trial.Version, trial.From, trial.Slot))
        {
            await TakeOnceAsync(trial, cancellationToken);
            return;
        }
        // Those of the version that runs and is not on trial were to go when it was kept.
        foreach (var snapshot in List().Where(snapshot => IsRunning(snapshot.Version, snapshot.From, snapshot.Slot))) Forget(snapshot);
        // Those of tries that this version survived: the first is its own state, a later one of a restore that failed. The record
        // may be gone by now, and the state is this version's all the same.
        var own = List().Where(snapshot => snapshot.From == running).ToList();
        if (own.Count > 0) Tell(await _restore.RestoreAsync(own[0], cancellationToken));
        foreach (var snapshot in own.Skip(1)) Forget(snapshot);
        KeepList();

        // A version that was installed over itself is told apart by its slot.
        bool IsRunning(string version, string from, string tried) => running == version && (version != from || slot.Value == tried);
    }

    /// <summary>
    /// The running version is kept: its snapshots go. Call it after <see cref="TrialRecord.Delete"/>: the next boot then finishes
    /// one that was interrupted.
    /// </summary>
    public Task CommitAsync() => Task.Run(() =>
    {
        foreach (var snapshot in List()) Forget(snapshot);
        disk.Remove(layout.Report);
        KeepList();
    });

    private async Task TakeOnceAsync(TrialRecord trial, CancellationToken cancellationToken)
    {
        if (List().Any(snapshot => IsOf(snapshot, trial))) return; // a second try: what is there now is not the old version's
        var paths = StatePaths.Outermost([.. ReadList(layout.List), .. ReadList(layout.KeptList)]);
        if (paths.Count == 0) return;
        var taken = await _taking.TakeAsync(trial, paths, cancellationToken);
        Log.Information("The state of {From} is kept aside while {Version} is tried: {Bytes} bytes of {Paths}", taken.From, taken.Version, taken.Items.Sum(item => item.Bytes), paths);
    }

    private static bool IsOf(StateSnapshot snapshot, TrialRecord trial) => snapshot.Version == trial.Version && snapshot.From == trial.From;

    private void Forget(StateSnapshot snapshot)
    {
        disk.Remove(layout.Discarded);
        disk.Move(Path.Combine(layout.Snapshots, snapshot.Name), layout.Discarded);
        disk.Sync(layout.Snapshots);
        disk.Remove(layout.Discarded);
    }

    /// <summary>Leaves the running version's list to the next one, which has no access to this root.</summary>
    private void KeepList()
    {
        var list = File.Exists(layout.List) ? File.ReadAllBytes(layout.List) : [];
        var kept = File.Exists(layout.KeptList) ? File.ReadAllBytes(layout.KeptList) : [];
        if (!list.AsSpan().SequenceEqual(kept)) disk.Write(layout.KeptList, list);
    }

    private static IEnumerable<string> ReadList(string path)
    {
        foreach (var line in File.Exists(path) ? File.ReadLines(path).Where(line => line.Length > 0) : [])
            yield return line.StartsWith('/') && !line.Split('/').Any(part => part is "." or "..") && !StatePaths.IsTheSupervisors(line) ? line
                : throw new InvalidDataException($"{path} names \"{line}\", which cannot be kept aside");
    }

    private static void Tell(RestoreReport report) =>
        Log.Warning("The state of {To} is back in its place; what {From} had changed since {TakenAt} is discarded: {Bytes} bytes, the youngest of {Newest}", report.To, report.From, report.TakenAt, report.BytesDiscarded, report.NewestDiscarded);
}
