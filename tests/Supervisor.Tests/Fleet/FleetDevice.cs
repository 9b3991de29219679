using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Core.Fleet;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Secrets;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Web;
using Appliance.Supervisor.Worker;
using Appliance.Supervisor.Workloads;
using Supervisor.Tests.Updates;

namespace Supervisor.Tests.Fleet;

/// <summary>
/// A device of a fleet: the real agent and engines, and a model of what they drive. What is on its disks survives a restart and a
/// power cut, what runs does not.
/// </summary>
internal sealed class FleetDevice : IWorker, IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fleet-device");
    private readonly Dictionary<string, WorkloadState> _workloads = new() { ["shop"] = new WorkloadState { Current = "1.0" } };
    private readonly FleetSettings _settings;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, DateTimeOffset> _rotatedAt = [];

    /// <summary>A device whose image names a server.</summary>
    public FleetDevice(Uri server, TimeProvider? time = null, string? machineId = null)
    {
        if (machineId is not null) Tree.Write("etc/machine-id", machineId + "\n");
        (_settings, _time) = (new FleetSettings { Server = server.ToString() }, time ?? TimeProvider.System);
        World.Boot();
    }

    public UpdateWorld World { get; } = new();
    public DeviceTree Tree { get; } = new();
    public UpdateEngine Engine { get; private set; } = null!;
    public FleetAgent Agent { get; private set; } = null!;
    public AssignmentWork Work { get; private set; } = null!;
    public CredentialDesk Desk { get; private set; } = null!;

    /// <summary>What the worker was asked to change.</summary>
    public List<string> Rotated { get; } = [];

    /// <summary>Called when the worker is asked for its credentials; what it throws comes of the question.</summary>
    public Action OnCredentials { get; set; } = () => { };

    /// <summary>What the worker was brought.</summary>
    public List<byte[]> Brought { get; } = [];

    /// <summary>Those of its credentials that it cannot make, and takes when they are signed.</summary>
    public IReadOnlyList<string> Signed { get; set; } = [];

    /// <summary>What the worker can change.</summary>
    public IReadOnlyList<string> Rotating { get; set; } = ["ssh-host-key"];

    /// <summary>Whether the credentials are read when the daemon starts, or some time later.</summary>
    public bool ReadsCredentials { get; set; } = true;

    /// <summary>The credential whose rotation is held up, and until when; it can be stopped meanwhile unless it has changed already.</summary>
    public (string Name, TaskCompletionSource Until, bool HasChanged)? Held { get; set; }

    /// <summary>What the worker's clock says when it has changed something, where it is another than the daemon's.</summary>
    public DateTimeOffset? RotationTime { get; set; }

    /// <summary>Credentials whose rotation was interrupted, and is gone on with.</summary>
    public HashSet<string> UnderWay { get; } = [];

    /// <summary>Why the worker cannot change its credential, or null.</summary>
    public string? RotationTrouble { get; set; }

    public string Id => DeviceId.Read(Tree.Root);
    public string MembershipPath => Path.Combine(_folder.FullName, FleetMembershipFile.FileName);
    public string StateFolder => _folder.FullName;

    /// <summary>The file of the host's key, which another disk does not have.</summary>
    public string HostSecret => Path.Combine(_folder.FullName, "credential.secret");

    /// <summary>The worker is away as far as secrets go.</summary>
    public bool SealsNothing { get; set; }

    public FleetMembershipFile Membership => new(MembershipPath, new WorkerSeal(this)) { OnStep = _ => NoteMembershipWrite() };

    /// <summary>What the worker was asked to fetch or install, in order.</summary>
    public IReadOnlyList<WorkerRequest> Fetched => [.. World.Requests.Where(request => request.Verb is WorkerVerb.Install or WorkerVerb.FetchWorkload)];

    /// <summary>Releases that are not ready, and are taken back.</summary>
    public HashSet<string> BrokenReleases { get; } = [];

    /// <summary>At which write of the assignment the power goes, from 1; 0 for never.</summary>
    public int CutAtWrite { get; set; }

    /// <summary>How often the assignment was about to be written, or had been.</summary>
    public int Writes { get; private set; }

    /// <summary>At which write of the membership the power goes, from 1; 0 for never.</summary>
    public int CutAtMembershipWrite { get; set; }

    /// <summary>How often the membership was about to be written, or had been.</summary>
    public int MembershipWrites { get; private set; }

    public AssignmentStep? Step => Work.Current?.Step;

    /// <summary>Starts the daemon, as far as it is about the fleet.</summary>
    public async Task StartAsync()
    {
        Engine = World.NewEngine(_time, this);
        await Engine.ReviewBootAsync(Token);
        await Engine.FollowUpAsync(Token);
        var workloads = new WorkloadUpdates(Engine, this);
        await workloads.RefreshAsync(Token);
        Work = new AssignmentWork(new AssignmentFile(Path.Combine(_folder.FullName, AssignmentFile.FileName)) { OnStep = _ => NoteWrite() }, Engine, workloads, Desk = NewDesk(), World, _time);
        Agent = new FleetAgent(_settings, Tree.Root, Membership, Work, new DeviceFacts(Tree.Root, _folder.FullName), Engine, workloads, _time);
        Desk.Join(Agent);
        if (ReadsCredentials) await Desk.RefreshAsync(Token);
        await Agent.StartAsync(Token);
    }

    /// <summary>Stops it.</summary>
    public async Task StopAsync()
    {
        await Agent.StopAsync(CancellationToken.None);
        Engine.Stop();
        Agent.Dispose();
        Engine.Dispose();
    }

    /// <summary>The device restarts, and its supervisor with it.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        World.Boot();
        await StartAsync();
    }

    /// <summary>What runs is found healthy, and kept.</summary>
    public async Task KeepAsync()
    {
        World.Bless();
        await Engine.CommitAsync(Token);
    }

    /// <summary>Lets the version on trial be found unhealthy until it is left.</summary>
    public async Task FailTrialAsync()
    {
        while (Engine.State.Phase == EnginePhase.Probation)
        {
            Engine.NoteVerdict(World.Verdict());
            World.EndBoot();
            await RestartAsync();
        }
    }

    public Task BecomesAsync(AssignmentStep step) => Eventually.IsTrueAsync(() => Step == step, $"{step} (it is {Step})");

    public Task ReportsAsync() => Eventually.IsTrueAsync(() => Work.Current is { IsReported: true }, "the report of the end");

    public async Task<WorkerResult> RunAsync(WorkerRequest request, Stream? bundle, IProgress<WorkerProgress>? progress, CancellationToken cancellationToken)
    {
        switch (request.Verb)
        {
            case WorkerVerb.Seal or WorkerVerb.Unseal when SealsNothing:
                throw new WorkerException("the worker cannot be reached: no such file");
            case WorkerVerb.Seal:
                return await new SealWork(new SystemdCreds(HostSecret)).SealAsync(request, cancellationToken);
            case WorkerVerb.Unseal:
                return await new SealWork(new SystemdCreds(HostSecret)).UnsealAsync(request, cancellationToken);
            case WorkerVerb.Workloads:
                return new WorkerResult { Workloads = [.. _workloads.Select(pair => new WorkloadStatus(pair.Key, pair.Value))] };
            case WorkerVerb.FetchWorkload:
                lock (World.Requests) World.Requests.Add(request);
                if (World.InstallError is { } error) throw error;
                return new WorkerResult { Verdict = "fetched", Workload = request.Workload ?? "shop", Version = request.Version ?? "2.0", DownloadBytes = 10 };
            case WorkerVerb.ApplyWorkload:
                return new WorkerResult { Outcomes = [new WorkloadOutcome(request.Workload!, Apply(request.Workload!, request.Version!))] };
            case WorkerVerb.RotateCredential:
                lock (World.Requests) Rotated.Add(request.Credential!);
                if (request.Content is { } content) Brought.Add(Convert.FromBase64String(content));
                if (RotationTrouble is { } trouble) throw new UserError(trouble);
                if (Held is { } held && held.Name == request.Credential)
                {
                    if (held.HasChanged) NoteRotated(held.Name);
                    await held.Until.Task.WaitAsync(held.HasChanged ? CancellationToken.None : cancellationToken);
                }
                NoteRotated(request.Credential!);
                goto case WorkerVerb.Credentials;
            case WorkerVerb.Credentials:
            case WorkerVerb.ResumeCredentials:
                OnCredentials();
                return new WorkerResult { Credentials = [.. Rotating.Select(name => new CredentialStatus { Name = name, Title = name, CanRotate = !Signed.Contains(name), CanSet = true, IsSigned = Signed.Contains(name), IsUnreadable = Unreadable.Contains(name), Identity = Unreadable.Contains(name) ? null : name, RotatedAt = _rotatedAt.TryGetValue(name, out var at) ? at : null, Step = UnderWay.Contains(name) ? RotationStep.Switching : RotationStep.Idle, Trouble = RotationTrouble })] };
            default:
                return await World.RunAsync(request, bundle, progress, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Agent is not null) await StopAsync();
        World.Dispose();
        Tree.Dispose();
        _folder.Delete(recursive: true);
    }

    private CredentialDesk NewDesk() => new(Engine, this, new OwnerAccess(Path.Combine(_folder.FullName, "access.json"), _time), new RotationEngine(Path.Combine(_folder.FullName, "rotations"), _time),
        new PageCredential(new PageCertificate(Path.Combine(_folder.FullName, PageCertificate.FileName), () => "edge-7"), _ => Task.FromResult(ProbeResult.Pass("it is shown"))), [], _time);

    /// <summary>Credentials that cannot be read.</summary>
    public HashSet<string> Unreadable { get; } = [];

    /// <summary>There is a new one.</summary>
    public void NoteRotated(string name) => _rotatedAt[name] = RotationTime ?? _time.GetUtcNow();

    private void NoteWrite()
    {
        if (!World.IsOff && ++Writes == CutAtWrite) World.CutPower();
        if (World.IsOff) throw new PowerCutException();
    }

    private void NoteMembershipWrite()
    {
        if (!World.IsOff && ++MembershipWrites == CutAtMembershipWrite) World.CutPower();
        if (World.IsOff) throw new PowerCutException();
    }

    private ReleaseEvent Apply(string id, string version)
    {
        var state = _workloads[id];
        var broken = BrokenReleases.Contains(version);
        var entry = new ReleaseEvent(_time.GetUtcNow(), broken ? ReleaseTransaction.Reverted : ReleaseTransaction.Applied, version, state.Current, broken ? "Deployment shop/web: it crashes" : "");
        _workloads[id] = (broken ? state : state with { Previous = state.Current, Current = version }).With(entry);
        return entry;
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;
}
