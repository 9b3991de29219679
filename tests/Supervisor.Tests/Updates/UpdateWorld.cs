using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;

namespace Supervisor.Tests.Updates;

/// <summary>The power goes: nothing that comes after it reaches the disk.</summary>
internal sealed class PowerCutException : Exception;

/// <summary>
/// A device with two slots as a model: what is on its disks survives a power cut, what runs does not. The engine and its files
/// are the real ones; the worker does to the slots, in the real order, what the root worker does, and can be cut before and
/// after each of its steps.
/// </summary>
internal sealed class UpdateWorld : IWorker, IDeviceBoot, IBaseline, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("world");
    private readonly Dictionary<string, Slot> _slots = new()
    {
        ["a"] = new Slot { Version = "1.0", State = SlotState.Good },
        ["b"] = new Slot { State = SlotState.Empty },
    };
    private string _running = "a";
    private int _boots, _steps;
    private bool _off, _blessed;

    /// <summary>The step at which the power goes, from 1; 0 for never.</summary>
    public int CutAt { get; set; }

    /// <summary>True once the cut has happened.</summary>
    public bool WasCut { get; private set; }

    /// <summary>True from a cut until the device is started again.</summary>
    public bool IsOff => _off;

    /// <summary>Steps so far.</summary>
    public int Steps => _steps;

    /// <summary>The version the repository offers.</summary>
    public string Offered { get; set; } = "1.1";

    /// <summary>Versions that do not get as far as the supervisor.</summary>
    public HashSet<string> Panicking { get; } = [];

    /// <summary>Versions whose checks fail.</summary>
    public HashSet<string> Unhealthy { get; } = [];

    /// <summary>Who holds restarts up.</summary>
    public List<string> Inhibitors { get; } = [];

    /// <summary>Requests that came to the worker.</summary>
    public List<WorkerRequest> Requests { get; } = [];

    /// <summary>Why the repository cannot be asked.</summary>
    public string? Unreachable { get; set; }

    /// <summary>What the worker says instead of installing, before it writes anything.</summary>
    public Exception? InstallError { get; set; }

    /// <summary>Why the restart does not come.</summary>
    public Exception? RebootError { get; set; }

    /// <summary>Why a version cannot be kept.</summary>
    public Exception? CommitError { get; set; }

    /// <summary>How the worker fails before it has given a slot up.</summary>
    public Exception? MarkBadError { get; set; }

    /// <summary>How the worker fails when a version is in its slot already.</summary>
    public Exception? PostInstallError { get; set; }

    /// <summary>When set, the hooks after a rollback or a commit end with it.</summary>
    public TaskCompletionSource? Hooks { get; set; }

    /// <summary>Why the state cannot be written.</summary>
    public Exception? DiskError { get; set; }

    /// <summary>When set, an installation waits for it in the middle.</summary>
    public TaskCompletionSource? Pause { get; set; }

    /// <summary>Completed when an installation has come to <see cref="Pause"/>.</summary>
    public TaskCompletionSource Paused { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>When set, a look waits for it.</summary>
    public TaskCompletionSource? Looking { get; set; }

    /// <summary>Completed when a look has come to <see cref="Looking"/>.</summary>
    public TaskCompletionSource LookBegan { get; set; } = new();

    public bool RebootAsked { get; private set; }
    public int Restarts { get; private set; }
    public int BaselinesTaken { get; private set; }
    public string TrialPath => Path.Combine(_folder.FullName, "trial.json");
    public string Version => _slots[_running].Version!;
    public string BootId => $"boot-{_boots}";
    /// <summary>True for a device whose boot loader tells nobody what it counts.</summary>
    public bool KnowsNoCount { get; set; }

    public BootState BootState => _blessed ? BootState.Good : KnowsNoCount ? BootState.Unknown : _slots[_running].State == SlotState.Trial ? BootState.Trial : BootState.Good;
    public Slot this[string name] => _slots[name];
    public Slot Running => _slots[_running];

    public TrialRecord? ReadTrial() => TrialRecord.TryRead(TrialPath);
    public void MarkBlessed() => _blessed = true;
    public Task<IReadOnlyList<string>> ReadJournalTailAsync(PendingUpdate pending, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>>(["the last line"]);
    public void Take() => BaselinesTaken++;
    public void Drop() { }

    /// <summary>The engine of this boot, with what it remembers from the disk.</summary>
    public UpdateEngine NewEngine(TimeProvider? time = null, IWorker? worker = null) => new(new UpdateMemory(new UpdateStore(Path.Combine(_folder.FullName, "update.json")) { OnStep = _ => Write() }, Version), worker ?? this, this, this, time ?? TimeProvider.System);

    /// <summary>
    /// Starts as systemd-boot does: of the entries with tries left or without a counter the newest version, and what is bad only
    /// when nothing else is there. A counted entry loses a try first. Versions that panic start over.
    /// </summary>
    public void Boot()
    {
        _off = _blessed = false;
        RebootAsked = false;
        while (true)
        {
            _boots++;
            var entries = _slots.Where(slot => slot.Value.State != SlotState.Empty).ToList();
            Assert.NotEmpty(entries);
            var usable = entries.Where(slot => slot.Value.State != SlotState.Bad).ToList();
            var (name, chosen) = (usable.Count > 0 ? usable : entries).MaxBy(slot => slot.Value.Version!, Appliance.Core.UapiVersion.Comparer);
            Assert.False(chosen.Writing, $"slot {name} is bootable and not whole");
            if (chosen.State == SlotState.Trial)
            {
                // Else nothing is kept aside for it, and nothing goes back with it.
                Assert.Equal(chosen.Version, ReadTrial()?.Version);
                chosen.TriesDone++;
                if (--chosen.TriesLeft == 0) chosen.LastTry = true;
            }
            _running = name;
            if (!Panicking.Contains(chosen.Version!)) return;
            Assert.Equal(SlotState.Trial, chosen.State);
            Use(chosen);
        }
    }

    /// <summary>The boot on trial ended without a verdict: the loader finds the counter used up.</summary>
    public void EndBoot() => Use(_slots[_running]);

    /// <summary>What systemd-bless-boot does when the gate has passed.</summary>
    public void Bless()
    {
        Step();
        _slots[_running].State = SlotState.Good;
        Step();
    }

    public HealthReport Verdict() => Unhealthy.Contains(Version)
        ? new HealthReport(HealthState.Unhealthy, [$"broken: does not work in {Version}"], [])
        : new HealthReport(HealthState.Healthy, ["every check passes"], []);

    public async Task<WorkerResult> RunAsync(WorkerRequest request, Stream? bundle, IProgress<WorkerProgress>? progress, CancellationToken cancellationToken)
    {
        if (_off) throw new PowerCutException();
        lock (Requests) Requests.Add(request);
        var other = _slots.Single(slot => slot.Key != _running);
        switch (request.Verb)
        {
            case WorkerVerb.Slots:
                return new WorkerResult { Slots = _slots.Select(slot => Status(slot.Key, slot.Value)).ToList() };
            case WorkerVerb.Check:
                if (Looking is { } looking)
                {
                    LookBegan.TrySetResult();
                    await looking.Task.WaitAsync(cancellationToken);
                }
                if (Unreachable is { } why) throw new WorkerException(why);
                return new WorkerResult { Verdict = Judge(request), Version = request.Version ?? Offered, DownloadBytes = 1000 };
            case WorkerVerb.Install:
                if (InstallError is { } error) throw error;
                if (Judge(request) is var verdict && verdict != "available") return new WorkerResult { Verdict = verdict, Version = request.Version ?? Offered };
                await InstallAsync(request.Version ?? Offered, other.Key, other.Value, progress, cancellationToken);
                return new WorkerResult { Verdict = "installed", Version = request.Version ?? Offered, Slot = other.Key, DownloadBytes = 1000, Ways = new Dictionary<string, string> { ["root"] = "patch" } };
            case WorkerVerb.Reboot:
                if (RebootError is { } refused) throw refused;
                if (Inhibitors.Count > 0 && !request.Force) return new WorkerResult { Inhibitors = Inhibitors };
                RebootAsked = true;
                Restarts++;
                return new WorkerResult();
            case WorkerVerb.MarkBad:
                var bad = request.Slot ?? _running;
                DiskSlot.CheckGiveUp(Status(bad, _slots[bad]), _slots.Where(slot => slot.Key != bad).Select(slot => Status(slot.Key, slot.Value)).Single());
                Step();
                if (MarkBadError is { } before) throw before;
                _slots[bad].State = SlotState.Bad;
                Step();
                return new WorkerResult { Slot = bad, Version = _slots[bad].Version };
            case WorkerVerb.MarkGood or WorkerVerb.Commit:
                if (CommitError is { } failure) throw failure;
                Step();
                _slots[_running].State = SlotState.Good;
                Step();
                if (request.Verb == WorkerVerb.Commit && Hooks is { } kept) await kept.Task.WaitAsync(cancellationToken);
                if (request.Verb == WorkerVerb.Commit) TrialRecord.Delete(TrialPath);
                Step();
                return new WorkerResult();
            case WorkerVerb.GiveUp:
                if (Hooks is { } hooks) await hooks.Task.WaitAsync(cancellationToken);
                Step();
                if (other.Value.Version == request.Version && other.Value.State == SlotState.Trial) other.Value.State = SlotState.Bad;
                Step();
                TrialRecord.Delete(TrialPath);
                Step();
                return new WorkerResult();
            default:
                throw new InvalidOperationException(request.Verb.ToString());
        }
    }

    /// <summary>As UpdateWork does it.</summary>
    private string Judge(WorkerRequest request)
    {
        var version = request.Version ?? Offered;
        return version == Version ? "upToDate" : !request.Force && request.Failed?.Contains(version) == true ? "failedBefore" : "available";
    }

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>The order of UpdateWork and SlotInstaller.</summary>
    private async Task InstallAsync(string version, string name, Slot slot, IProgress<WorkerProgress>? progress, CancellationToken cancellationToken)
    {
        Step();
        (slot.State, slot.Version, slot.TriesDone) = (SlotState.Empty, null, 0);
        Step();
        new TrialRecord { Version = version, From = Version, Slot = name, InstalledBy = BootId }.Write(TrialPath);
        Step();
        slot.Writing = true;
        progress?.Report(new("writing", 500, 1000, 10, 100, 5));
        if (Pause is { } pause)
        {
            Paused.TrySetResult();
            await pause.Task.WaitAsync(cancellationToken);
        }
        Step();
        slot.Writing = false;
        Step();
        (slot.State, slot.Version, slot.TriesLeft, slot.TriesDone, slot.LastTry) = (SlotState.Trial, version, 3, 0, false);
        Step();
        if (PostInstallError is { } error) throw error;
    }

    /// <summary>The power goes now.</summary>
    public void CutPower() => _off = WasCut = true;

    private static void Use(Slot slot)
    {
        if (slot is { State: SlotState.Trial, LastTry: true }) slot.State = SlotState.Bad;
    }

    private void Write()
    {
        if (DiskError is { } error) throw error;
        Step();
    }

    private void Step()
    {
        if (_off) throw new PowerCutException();
        if (++_steps != CutAt) return;
        CutPower();
        throw new PowerCutException();
    }

    private SlotStatus Status(string name, Slot slot) => new()
    {
        Name = name,
        Running = name == _running,
        State = slot.State,
        Version = slot.Version,
        TriesLeft = slot.State == SlotState.Trial ? slot.TriesLeft : null,
        TriesDone = slot.TriesDone,
    };

    internal sealed class Slot
    {
        public string? Version { get; set; }
        public SlotState State { get; set; }
        public int TriesLeft { get; set; }
        public int TriesDone { get; set; }
        public bool LastTry { get; set; }
        public bool Writing { get; set; }
    }
}
