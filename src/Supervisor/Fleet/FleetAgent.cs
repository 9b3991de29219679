using Appliance.Core;
using Appliance.Core.Fleet;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Serilog;

namespace Appliance.Supervisor.Fleet;

/// <summary>
/// The device as a member of a fleet: asks the server what there is to do (DDI), does it, and says how it went; whatever is owed to
/// the server is on the disk. Our server also says by itself when there is something.
/// </summary>
internal sealed class FleetAgent : BackgroundService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5), LongestPause = TimeSpan.FromMinutes(5), LongestPoll = TimeSpan.FromDays(1), Spacing = TimeSpan.FromSeconds(2), Shortest = TimeSpan.FromMilliseconds(100);

    private readonly FleetSettings _settings;
    private readonly FleetMembershipFile _file;
    private readonly AssignmentWork _work;
    private readonly DeviceFacts _facts;
    private readonly UpdateEngine _engine;
    private readonly WorkloadUpdates _workloads;
    private readonly string _root;
    private readonly TimeProvider _time;
    private readonly WakeableSleep _sleep;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _member = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CertificateRotation _rotation;
    private readonly TrustRollover _rollover;
    private readonly AssignmentDialogue _dialogue;
    private readonly Backoff _backoff = new(FirstPause, LongestPause);
    private readonly long _start;
    private FleetMembership? _membership;
    private DdiClient? _client;
    private FleetEvents? _events;
    private FleetStatus _status;
    private IReadOnlyDictionary<string, string>? _described;
    private TimeSpan _nextPoll, _lastAsk;
    private string? _trouble;
    private bool _isRead, _askedForRestart;
    private int _asked;

    /// <summary>An agent.</summary>
    /// <param name="settings">What the image says of the server.</param>
    /// <param name="root">Root of the image's files.</param>
    /// <param name="file">By what the device is known.</param>
    /// <param name="work">Does what is assigned.</param>
    /// <param name="facts">The device.</param>
    /// <param name="engine">Updates of the operating system.</param>
    /// <param name="workloads">Workloads.</param>
    /// <param name="time">Clock.</param>
    public FleetAgent(FleetSettings settings, string root, FleetMembershipFile file, AssignmentWork work, DeviceFacts facts, UpdateEngine engine, WorkloadUpdates workloads, TimeProvider time)
    {
        (_settings, _root, _file, _work, _facts, _engine, _workloads, _time) = (settings, root, file, work, facts, engine, workloads, time);
        (_start, _sleep) = (time.GetTimestamp(), new WakeableSleep(time));
        var clock = new DeviceClock(root, time);
        _rotation = new CertificateRotation(file, facts.Id, membership => FleetServer.Of(settings, root, membership), clock);
        _rollover = new TrustRollover(file, membership => FleetServer.StatedTrust(root, membership), membership => FleetServer.Of(settings, root, membership), clock);
        _dialogue = new AssignmentDialogue(work, DoAsync, PollNow, time);
        _status = new FleetStatus { State = FleetState.None, Device = facts.Id };
        Connect();
    }

    /// <summary>Raised when the status changes.</summary>
    public event Action? Changed;

    /// <summary>The device's credentials, which the server is told of.</summary>
    public Func<IReadOnlyList<CredentialStatus>> Credentials { get; set; } = () => [];

    /// <summary>How the device stands with the server.</summary>
    public FleetStatus Status
    {
        get { lock (_lock) return _status; }
    }

    /// <summary>What the server is spoken to with; null while the device is no member.</summary>
    public DdiClient? Client { get { lock (_lock) return _membership?.IsMember != true ? null : _client; } }

    /// <summary>Whether it is known by what the device is known to the server, if by anything.</summary>
    public bool IsRead => Volatile.Read(ref _isRead);

    /// <summary>What the device is called there.</summary>
    private string Id => _membership?.DeviceId ?? _facts.Id;

    private TimeSpan Now => _time.GetElapsedTime(_start);

    /// <summary>Waits until the device is a member; false when the daemon ends before.</summary>
    public async Task<bool> WaitUntilMemberAsync(CancellationToken cancellationToken)
    {
        await _member.Task.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return _member.Task.IsCompletedSuccessfully;
    }

    /// <summary>Joins the device to a fleet. With an enrolment token the server lets it in later, when it is reached.</summary>
    /// <exception cref="UserError">It makes no sense, or there is no server.</exception>
    public async Task JoinAsync(JoinRequest request)
    {
        var membership = request.ToMembership();
        if (FleetServer.Of(_settings, _root, membership) is null) throw new UserError("There is no server that the device could join: its image names none.", "Name one: appliancectl fleet join --server https://…");
        if (_facts.Id.Length == 0 && membership.DeviceId is null) throw new UserError("The device has no id yet.", "It is made at the first boot (/etc/machine-id).");
        await _turn.WaitAsync();
        try
        {
            // What the same server has said of itself holds on.
            if (_membership is { Learned: not null } before && before.Server == membership.Server && before.Trust == membership.Trust) membership = membership with { Learned = before.Learned };
            await BecomeAsync(membership, CancellationToken.None, first: _work.Forget); // another server's actions have the same numbers
            _rotation.Reset();
            _rollover.Reset();
        }
        finally
        {
            _turn.Release();
        }
        Log.Information("Joining the fleet of {Server}", Status.Server);
        _sleep.Wake();
    }

    /// <summary>Leaves the fleet: the device forgets by what it is known. What runs stays.</summary>
    /// <exception cref="UserError">It is in none.</exception>
    public async Task LeaveAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (!_file.Exists) throw new UserError("The device belongs to no fleet.");
            _work.Forget();
            _file.Delete();
            _rotation.Reset();
            Take(null);
        }
        finally
        {
            _turn.Release();
        }
        Log.Information("The device has left its fleet");
    }

    /// <summary>Gets the device its next certificate now.</summary>
    /// <param name="isEmergency">Whether the one before goes at once.</param>
    /// <param name="cancellationToken">Ends the work; an emergency is gone on with.</param>
    /// <exception cref="UserError">There is none to be had; the one that holds goes on to hold.</exception>
    public async Task RotateCertificateAsync(bool isEmergency, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_membership?.Certificate is not { } before || Client is not { } client) throw new UserError("The device has no certificate of its fleet's server.", "It gets one when it joins a fleet over https: appliancectl fleet join");
            _membership = await _rotation.WantAsync(_membership, isEmergency, cancellationToken);
            await RotateAsync(client, cancellationToken);
            if (_membership.Certificate == before) throw new UserError($"There is no new certificate: {Status.CertificateTrouble ?? "the server cannot be spoken to"}.", "The one that the device has holds on, and it tries again by itself.") { MayPass = true };
            PollNow(); // the server is told of it
        }
        catch (OperationCanceledException) when (!isEmergency)
        {
            _membership = await _rotation.WithdrawAsync(_membership!, CancellationToken.None);
            throw;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"It cannot be written down that there is to be a new certificate: {e.Message}", "The one that the device has holds on.", e) { MayPass = true };
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Fetches a small file of an assignment.</summary>
    /// <param name="source">Where the server says that it is.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">It is not to be had.</exception>
    public async Task<byte[]> FetchAsync(string source, CancellationToken cancellationToken)
    {
        if (Client is not { } client) throw new UserError("The device belongs to no fleet.");
        try
        {
            return await client.FetchFileAsync(source, cancellationToken);
        }
        catch (DdiException e)
        {
            throw new UserError($"The server does not give the file: {e.Message}", null, e) { MayPass = e.Fault is not (DdiFault.Gone or DdiFault.Rejected) };
        }
    }

    /// <summary>Says to the server whether somebody at the device agrees to what waits for that.</summary>
    /// <exception cref="UserError">Nothing waits, or the server does not take it.</exception>
    public async Task ConfirmAsync(bool agreed, string? words, CancellationToken cancellationToken)
    {
        if (Client is not { } client || Status.Unconfirmed is not { } waiting) throw new UserError("Nothing waits for a confirmation.", "appliancectl fleet shows what does.");
        try
        {
            await client.ConfirmAsync(waiting.Id, agreed, words, cancellationToken);
        }
        catch (DdiException e)
        {
            throw new UserError($"The server does not take it: {e.Message}", "Try again when it answers.", e);
        }
        Log.Information("{Title} was {Verdict} by somebody at the device", $"{waiting.Name} {waiting.Version}", agreed ? "confirmed" : "denied");
        PollNow();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _events?.Dispose();
        _client?.Dispose();
        _sleep.Dispose();
        _turn.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _engine.Changed += _sleep.Wake;
        _workloads.Changed += _sleep.Wake;
        while (!stoppingToken.IsCancellationRequested)
        {
            var due = Timeout.InfiniteTimeSpan;
            await _turn.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stoppingToken.IsCancellationRequested) break;
            try
            {
                if (!_isRead) due = await ReadAsync(stoppingToken);
                if (_membership is not null && _client is { } client) due = await TurnAsync(client, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e) // a server can say what nobody thought of; the rest of the supervisor has nothing to do with it
            {
                Log.Error(e, "What the fleet's server wants could not be done");
                (due, _nextPoll) = (LongestPause, Now + LongestPause);
                Volatile.Write(ref _asked, 0);
            }
            finally
            {
                _turn.Release();
            }
            await _sleep.SleepAsync(due, stoppingToken);
        }
        _engine.Changed -= _sleep.Wake;
        _workloads.Changed -= _sleep.Wake;
        _events?.Dispose();
        _events = null;
    }

    /// <summary>Finds out by what the device is known, which the worker unseals; says how long there is nothing to do when that fails.</summary>
    private async Task<TimeSpan> ReadAsync(CancellationToken cancellationToken)
    {
        Advance(); // what was assigned before does not wait for it
        try
        {
            if (Now < _nextPoll) return Pause();
            Take(await _file.ReadAsync(cancellationToken));
            if (_client is not null) await SealPlainAsync(cancellationToken); // what cannot be used stays as it is
            // All devices of a site come up together after a power cut; their questions do not.
            _nextPoll = Now + (FirstPause * Random.Shared.NextDouble());
            return Timeout.InfiniteTimeSpan;
        }
        catch (MembershipUnreadableException e)
        {
            if (Status.Trouble != e.Message) Log.Error("The device is a member of a fleet, but {Reason}", e.Message);
            Show(status => status with { State = FleetState.Unreadable, Server = e.Server ?? status.Server, Trouble = e.Message, TroubleSince = status.TroubleSince ?? _time.GetUtcNow(), Assignment = _work.Current });
            _nextPoll = Now + _backoff.Next();
            return Pause();
        }
    }

    private async Task SealPlainAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _file.SealPlainAsync(_membership!, cancellationToken);
        }
        catch (Exception e) when (e is UserError or IOException or UnauthorizedAccessException or InvalidDataException)
        {
            Log.Warning("By what the device is known to its fleet lies in clear on its disk, until the next start: {Reason}", e.Message);
        }
    }

    /// <summary>How long there is nothing to do.</summary>
    private TimeSpan Pause()
    {
        var pause = _nextPoll - Now;
        if (_isRead && Volatile.Read(ref _asked) == 1 && _lastAsk + Spacing - Now is var soon && soon < pause) pause = soon;
        if (_work.Wait is { } wait && wait < pause) pause = wait;
        return pause > Shortest ? pause : Shortest;
    }

    /// <summary>What can be done now; says how long there is nothing to do then.</summary>
    private async Task<TimeSpan> TurnAsync(DdiClient client, CancellationToken cancellationToken)
    {
        Advance();
        if (_work.AsksForRestart && !_askedForRestart) PollNow();
        _askedForRestart = _work.AsksForRestart;
        // Whatever wakes it, a server is not asked without a pause.
        var asks = Now >= _nextPoll || (Volatile.Read(ref _asked) == 1 && Now >= _lastAsk + Spacing);
        try
        {
            if (asks)
            {
                Volatile.Write(ref _asked, 0);
                _lastAsk = Now;
                if (_membership is { IsMember: false }) client = await EnrolAsync(client, cancellationToken);
                client = await RotateAsync(client, cancellationToken);
            }
            if (_membership is not { IsMember: true }) return Pause();
            if (asks || Status.State == FleetState.Connected) await DoAsync("told how it goes", () => _dialogue.TellAsync(client, cancellationToken));
            if (asks)
            {
                var tasks = await client.AskAsync(cancellationToken);
                NoteContact();
                var poll = tasks.Sleep ?? _settings.Poll;
                _nextPoll = Now + ((poll < LongestPoll ? poll : LongestPoll) * (0.9 + (0.2 * Random.Shared.NextDouble())));
                _backoff.Reset();
                await FollowAsync(client, tasks, cancellationToken);
                Advance();
                await DoAsync("told how it goes", () => _dialogue.TellAsync(client, cancellationToken));
                await DoAsync("asked whom it is to be trusted by", () => RollOverAsync(cancellationToken));
            }
        }
        catch (DdiException e)
        {
            NoteTrouble(e);
            _nextPoll = Now + _backoff.Next(e.RetryAfter);
            if (e.Fault == DdiFault.Refused) await DoAsync("spoken to by the certificate before", () => GoBackAsync(cancellationToken));
        }
        Show(status => status with { Assignment = _work.Current });
        return Pause();
    }

    /// <summary>A full disk is no reason not to hear what the server has to say.</summary>
    private void Advance()
    {
        try
        {
            _work.Advance();
        }
        catch (Exception e) when (e is UserError or IOException or UnauthorizedAccessException)
        {
            Log.Warning("The assignment cannot be gone on with: {Reason}", e.Message);
        }
    }

    /// <summary>One of several things that go through the server: when it fails, the others need not.</summary>
    private async Task DoAsync(string what, Func<Task> work)
    {
        try
        {
            await work();
            if (_trouble == what) _trouble = null;
        }
        catch (Exception e) when (e is DdiException or UserError or IOException or UnauthorizedAccessException)
        {
            if (_trouble != what) Log.Warning("The fleet's server could not be {What}: {Reason}", what, e.Message);
            _trouble = what;
        }
    }

    /// <summary>The server does not take the certificate that holds: the one before may still do.</summary>
    private async Task GoBackAsync(CancellationToken cancellationToken)
    {
        var before = _membership!;
        _rotation.NoteRefusal(before.Certificate);
        _membership = await _rotation.GoBackAsync(before, cancellationToken);
        if (_membership.Certificate == before.Certificate) return;
        _rotation.NoteRefusal(null);
        Connect();
        NoteContact(); // it answers by that one
    }

    /// <summary>Gets the device a token of its own for the one that lets it in.</summary>
    private async Task<DdiClient> EnrolAsync(DdiClient client, CancellationToken cancellationToken)
    {
        var token = await client.EnrolAsync(_membership!.EnrolmentToken!, Id, cancellationToken);
        try
        {
            await BecomeAsync(_membership with { EnrolmentToken = null, Token = token }, cancellationToken);
        }
        catch (UserError e)
        {
            throw new DdiException(DdiFault.Unreachable, e.Message, inner: e); // it lets in again who never used the token that it gave
        }
        Log.Information("The server has let the device in as {Device}", Id);
        return RequireClient();
    }

    /// <summary>Gets the device a certificate, or the next one, when it is time. Whatever goes wrong, what held before holds.</summary>
    private async Task<DdiClient> RotateAsync(DdiClient client, CancellationToken cancellationToken)
    {
        var before = _membership!;
        try
        {
            _membership = await _rotation.AdvanceAsync(before, cancellationToken);
        }
        catch (Exception e)
        {
            _membership = _rotation.Reached ?? before; // as the disk has it
            if (e is not (DdiException or IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException or ArgumentException or UserError)) throw;
            Log.Warning("There is no new certificate yet: {Reason}", e.Message);
        }
        Show(status => status with { CertificateTrouble = _rotation.Trouble });
        if (_membership.Certificate == before.Certificate) return client;
        var state = Status.State;
        Connect();
        if (state == FleetState.Connected) NoteContact(); // it was spoken to by the new one
        return RequireClient();
    }

    /// <summary>Hears of another authority of the server's, and goes on with the connection that it trusts then.</summary>
    private async Task RollOverAsync(CancellationToken cancellationToken)
    {
        var before = _membership!;
        try
        {
            await _rollover.AdvanceAsync(before, cancellationToken);
        }
        finally
        {
            _membership = _rollover.Reached ?? before; // as the disk has it
            if (_membership != before)
            {
                Connect();
                PollNow(); // what waits is heard of anew
            }
        }
    }

    /// <summary>Does what the server's links ask for.</summary>
    private async Task FollowAsync(DdiClient client, DdiTasks tasks, CancellationToken cancellationToken)
    {
        var attributes = DeviceAttributes.Take(_facts, _workloads.Known, Credentials());
        if (tasks.WantsAttributes || _described?.SequenceEqual(attributes) != true) await DoAsync("told what the device is", async () =>
        {
            await client.DescribeAsync(attributes, cancellationToken);
            _described = attributes;
        });
        await _dialogue.FollowAsync(client, tasks, cancellationToken);
        Show(status => status with { Unconfirmed = _dialogue.Unconfirmed });
    }

    /// <summary>The device is known by something else from now on; it is on the disk when this returns.</summary>
    /// <exception cref="UserError">It cannot be sealed; all is as it was, also what comes <paramref name="first"/> before it is written.</exception>
    private async Task BecomeAsync(FleetMembership membership, CancellationToken cancellationToken, Action? first = null)
    {
        var record = await _file.SealAsync(membership, cancellationToken);
        first?.Invoke();
        _file.Write(record);
        Take(membership);
    }

    private void Take(FleetMembership? membership)
    {
        (_membership, _isRead, _nextPoll, _lastAsk) = (membership, true, Now, Now - Spacing);
        _backoff.Reset();
        Connect();
    }

    private DdiClient RequireClient() => _client ?? throw new DdiException(DdiFault.Unreachable, Status.Trouble ?? "it cannot be spoken to");

    /// <summary>Begins anew with the membership as it is now.</summary>
    private void Connect()
    {
        FleetServer? server = null;
        DdiClient? client = null;
        string? trouble = null;
        DateTimeOffset? from = null, until = null, due = null;
        (string, DateTimeOffset)? authority = null;
        try
        {
            server = FleetServer.Of(_settings, _root, _membership);
            client = server is null ? null : new DdiClient(server, Id, _time);
            (from, until, due) = Term(_membership?.Certificate);
            authority = server?.Trust is { } trust ? (trust.Names, trust.Until) : null;
        }
        catch (Exception e) // whatever is wrong with a file or its content: the device is there all the same
        {
            client?.Dispose();
            (client, trouble) = (null, e.Message);
            Log.Error("The fleet's server cannot be spoken to: {Reason}", e.Message);
        }
        _events?.Dispose();
        _events = null;
        DdiClient? old;
        lock (_lock) (old, _client) = (_client, client);
        old?.Dispose();
        _described = null;
        _dialogue.Reset();
        Show(_ => new FleetStatus
        {
            Device = Id,
            Server = server?.Address.ToString() ?? _membership?.Server ?? _settings.Server,
            State = trouble is not null ? FleetState.Unreachable : server is not null || (!_isRead && _file.Exists) ? FleetState.Joining : _settings.Server is null ? FleetState.None : FleetState.NotJoined,
            Trouble = trouble,
            TroubleSince = trouble is null ? null : _time.GetUtcNow(),
            CertificateFrom = from,
            CertificateUntil = until,
            CertificateDue = due,
            Authority = authority,
            Assignment = _work.Current,
        });
        if (_membership?.IsMember != true || client is null) return;
        _member.TrySetResult();
        _events = new FleetEvents(client, PollNow, _time);
    }

    private static (DateTimeOffset? From, DateTimeOffset? Until, DateTimeOffset? Due) Term(DeviceCredential? credential)
    {
        if (credential is null) return (null, null, null);
        using var certificate = credential.Read();
        return (certificate.NotBefore.ToUniversalTime(), certificate.NotAfter.ToUniversalTime(), CertificateRotation.DueAt(credential));
    }

    private void PollNow()
    {
        Volatile.Write(ref _asked, 1);
        _sleep.Wake();
    }

    private void NoteContact()
    {
        if (Status.State != FleetState.Connected) Log.Information("The fleet's server {Server} answers", Status.Server);
        Show(status => status with { State = FleetState.Connected, Trouble = null, TroubleSince = null, LastContact = _time.GetUtcNow() });
    }

    private void NoteTrouble(DdiException e)
    {
        var state = e.Fault is DdiFault.Refused or DdiFault.Gone or DdiFault.Rejected ? FleetState.Refused : FleetState.Unreachable;
        if (Status.Trouble != e.Message) Log.Warning("The fleet's server {Server}: {Reason}", Status.Server, e.Message);
        Show(status => status with { State = state, Trouble = e.Message, TroubleSince = status.TroubleSince ?? _time.GetUtcNow() });
    }

    private void Show(Func<FleetStatus, FleetStatus> change)
    {
        lock (_lock)
        {
            var next = change(_status);
            if (next == _status) return;
            _status = next;
        }
        Changed?.Invoke();
    }
}
