using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;
using Serilog;

namespace Appliance.Supervisor.Credentials;

/// <summary>
/// All credentials of the device, whoever keeps them: the supervisor itself, its root worker, the fleet's agent, the owner, the image.
/// Changing one is a job like an update: never two at once.
/// </summary>
internal sealed class CredentialDesk
{
    /// <summary>Kind of its jobs.</summary>
    public const string JobKind = "rotate";

    private readonly UpdateEngine _engine;
    private readonly IWorker _worker;
    private readonly OwnerAccess _access;
    private readonly RotationEngine _rotations;
    private readonly PageCredential _page;
    private readonly IReadOnlyList<CredentialStatus> _authorities;
    private readonly TimeProvider _time;
    private IReadOnlyList<CredentialStatus> _workers = [];
    private CredentialStatus? _pages;
    private FleetAgent? _fleet;
    private bool _isRead;

    /// <summary>A desk.</summary>
    /// <param name="engine">Updates of the operating system, which have the same jobs.</param>
    /// <param name="worker">Changes what needs root.</param>
    /// <param name="access">The owner.</param>
    /// <param name="rotations">Rotations of what the supervisor keeps itself.</param>
    /// <param name="page">The page's certificate.</param>
    /// <param name="authorities">Certificates that come with the image.</param>
    /// <param name="time">Clock.</param>
    public CredentialDesk(UpdateEngine engine, IWorker worker, OwnerAccess access, RotationEngine rotations, PageCredential page, IReadOnlyList<CredentialStatus> authorities, TimeProvider time)
    {
        (_engine, _worker, _access, _rotations, _page, _authorities, _time) = (engine, worker, access, rotations, page, authorities, time);
        _pages = rotations.TryStatus(page);
    }

    /// <summary>Raised when something is another way than it was.</summary>
    public event Action? Changed;

    /// <summary>The credentials as they were when they were last looked at.</summary>
    public IReadOnlyList<CredentialStatus> Known => [.. Own(), .. Volatile.Read(ref _workers)];

    /// <summary>Whether all of them have been looked at since the start: what is not among <see cref="Known"/> is not there.</summary>
    public bool IsRead => Volatile.Read(ref _isRead) && _fleet?.IsRead != false;

    /// <summary>The agent that keeps the device's certificate; it is there later than the desk.</summary>
    public void Join(FleetAgent agent)
    {
        _fleet = agent;
        agent.Credentials = () => Known;
        agent.Changed += () => Changed?.Invoke();
    }

    /// <summary>Looks at the worker's credentials anew.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        try
        {
            Note(await _worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.Credentials }, null, null, cancellationToken));
        }
        catch (Exception e) when (e is WorkerException or UserError)
        {
            Log.Warning("The credentials could not be read: {Reason}", e.Message);
            if (e is UserError) Volatile.Write(ref _isRead, true); // settings that cannot be used stay so: there are none of the worker's
        }
    }

    /// <summary>Goes on with what was interrupted, and lets go of what has been kept long enough. No job begins meanwhile.</summary>
    public async Task ResumeAsync(CancellationToken cancellationToken)
    {
        _engine.Jobs.Pause(new UserError("The rotation of a credential is gone on with.", "Wait a moment; appliancectl credentials says where it is.") { MayPass = true });
        try
        {
            await TryAsync(() => _rotations.ResumeAsync(_page, cancellationToken));
            if (!await TryAsync(async () => Note(await _worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.ResumeCredentials }, null, null, cancellationToken)))) await RefreshAsync(cancellationToken);
        }
        finally
        {
            LookAtPage();
            _engine.Jobs.Pause(null);
            Changed?.Invoke();
        }

        static async Task<bool> TryAsync(Func<Task> work)
        {
            try
            {
                await work();
                return true;
            }
            catch (Exception e) when (e is UserError or WorkerException or InvalidDataException or IOException or UnauthorizedAccessException)
            {
                Log.Warning("The rotation of a credential could not be gone on with: {Reason}", e.Message);
                return false;
            }
        }
    }

    /// <summary>What is to be changed by now, of what the device changes by itself; the fleet's agent looks after its own.</summary>
    public IReadOnlyList<CredentialStatus> Due => [.. Known.Where(credential => credential is { CanRotate: true, DueAt: { } due } && credential.Name != CredentialNames.DeviceCertificate && due <= _time.GetUtcNow())];

    /// <summary>Whether something was interrupted, or has been kept long enough.</summary>
    public bool IsUnfinished => Known.Any(credential => credential.Step is not (RotationStep.Idle or RotationStep.Grace) || credential.PreviousUntil <= _time.GetUtcNow());

    /// <summary>Changes a credential.</summary>
    /// <param name="name">Which; <see cref="CredentialNames.All"/> for all that the device can change by itself.</param>
    /// <param name="by">Who wants it.</param>
    /// <param name="isEmergency">Whether the old one goes at once: somebody else may have it.</param>
    /// <param name="given">The new one, where somebody brings it; it is closed at the end.</param>
    /// <exception cref="UserError">There is none such, or another job is under way.</exception>
    public UpdateJob Rotate(string name, string by, bool isEmergency = false, Stream? given = null) => Begin(name, by, isEmergency, given is null ? null : async stop =>
    {
        await using var owned = given;
        return await ReadAsync(given, stop);
    });

    /// <summary>Takes a new one from the fleet's server. Its word is not enough for that: only what is signed by somebody whom the image trusts is taken.</summary>
    /// <param name="name">Name of the credential.</param>
    /// <param name="by">Who wants it.</param>
    /// <param name="source">Where the server has it.</param>
    /// <exception cref="UserError">There is none such, it is not signed, or another job is under way.</exception>
    public UpdateJob Fetch(string name, string by, string source)
    {
        if (Known.FirstOrDefault(credential => credential.Name == name) is { IsSigned: false }) throw new UserError($"A server cannot bring a new {name}: nobody whom the image trusts would have signed it.", "Bring it to the device: appliancectl credentials set");
        return Begin(name, by, isEmergency: false, async stop =>
        {
            using var content = new MemoryStream(await _fleet!.FetchAsync(source, stop));
            return await ReadAsync(content, stop);
        });
    }

    private UpdateJob Begin(string name, string by, bool isEmergency, Func<CancellationToken, Task<byte[]>>? bring)
    {
        IReadOnlyList<CredentialStatus> chosen = name == CredentialNames.All && bring is null ? [.. Known.Where(credential => credential.CanRotate)] : [.. Known.Where(credential => credential.Name == name)];
        if (chosen.Count == 0) throw new UserError($"There is no credential {name} here.", $"There {(Known.Count == 1 ? "is" : "are")} {string.Join(", ", Known.Select(credential => credential.Name))}.");
        if (bring is null && chosen is [{ CanRotate: false } fixedOne]) throw new UserError($"The device cannot make a new {name}.", fixedOne.CanSet ? $"Bring one: appliancectl credentials set {name} FILE" : fixedOne.Renewal);
        if (bring is not null && !chosen[0].CanSet) throw new UserError($"A new {name} cannot be brought.", chosen[0].CanRotate ? $"The device makes it: appliancectl credentials rotate {name}" : chosen[0].Renewal);
        if (_engine.State is { Phase: EnginePhase.Probation, Pending: { } pending }) throw new UserError($"Version {pending.Version} of the operating system is on trial; nothing is changed before its verdict.", "Wait for the verdict (appliancectl status).");
        return _engine.Jobs.Start(JobKind, by, null, async job =>
        {
            job.Hold();
            var content = bring is null ? null : await bring(job.Cancelled);
            try
            {
                UserError? first = null;
                foreach (var credential in chosen)
                {
                    job.Cancelled.ThrowIfCancellationRequested(); // the one before may have been past where it can be stopped
                    job.Update(view => view with { Phase = $"{credential.Name}: starting" });
                    try
                    {
                        await RotateAsync(credential.Name, by, isEmergency, content, job);
                    }
                    catch (UserError e) when (chosen.Count > 1)
                    {
                        first ??= e; // one that fails does not keep the others
                    }
                }
                if (first is not null) throw first;
                job.Update(view => view with { Message = $"{string.Join(", ", chosen.Select(credential => credential.Name))}: changed" });
            }
            finally
            {
                LookAtPage();
                Changed?.Invoke();
            }
        });
    }

    private async Task RotateAsync(string name, string by, bool isEmergency, byte[]? given, UpdateJob job)
    {
        switch (name)
        {
            case CredentialNames.DeviceCertificate:
                await _fleet!.RotateCertificateAsync(isEmergency, job.Cancelled);
                break;
            case CredentialNames.PageCertificate:
                await _rotations.RotateAsync(_page, by, isEmergency, null, job.Cancelled);
                break;
            default:
                try
                {
                    Note(await _worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.RotateCredential, Credential = name, Emergency = isEmergency, Content = given is null ? null : Convert.ToBase64String(given), Reason = by }, null, new Named(name, job), job.Cancelled));
                }
                catch
                {
                    await RefreshAsync(CancellationToken.None);
                    throw;
                }
                break;
        }
    }

    private static async Task<byte[]> ReadAsync(Stream given, CancellationToken cancellationToken)
    {
        var content = new byte[CredentialSettings.LargestGiven + 1];
        var length = await given.ReadAtLeastAsync(content, content.Length, throwOnEndOfStream: false, cancellationToken);
        return length is > 0 and <= CredentialSettings.LargestGiven ? content[..length] : throw new UserError($"A credential has 1 to {CredentialSettings.LargestGiven} bytes.");
    }

    /// <summary>Reads it once for everybody who asks: the rotation is a file.</summary>
    private void LookAtPage() => Volatile.Write(ref _pages, _rotations.TryStatus(_page));

    private void Note(WorkerResult result)
    {
        Volatile.Write(ref _workers, result.Credentials ?? []);
        Volatile.Write(ref _isRead, true);
        Changed?.Invoke();
    }

    private IEnumerable<CredentialStatus> Own()
    {
        if (_fleet?.Status is { CertificateUntil: { } until } fleet)
        {
            yield return new CredentialStatus { Name = CredentialNames.DeviceCertificate, Title = "Certificate of the device", IssuedAt = fleet.CertificateFrom, ExpiresAt = until, RotatedAt = fleet.CertificateFrom, DueAt = fleet.CertificateDue, Trouble = fleet.CertificateTrouble, Identity = fleet.Device, CanRotate = true };
        }
        if (_fleet?.Status is { Authority: (var name, var end) }) yield return new CredentialStatus { Name = CredentialNames.ServerAuthority, Title = "Authority of the fleet's server", ExpiresAt = end, Identity = name, Renewal = "The server names the next one (appliance-server serve --server-trust), or an image does (fleet.trust)." };
        if (Volatile.Read(ref _pages) is { } page) yield return page with { IssuedAt = page.RotatedAt };
        if (_access.HasPassword) yield return new CredentialStatus { Name = CredentialNames.OwnerPassword, Title = "Password of the owner", IssuedAt = _access.PasswordSince, RotatedAt = _access.PasswordSince, ExpiresAt = _access.PasswordUntil, Renewal = "Set a new one on the page (Password), or begin anew with appliancectl setup-code --reset." };
        foreach (var authority in _authorities) yield return authority;
    }

    /// <summary>Says which credential a step is about.</summary>
    private sealed class Named(string name, UpdateJob job) : IProgress<WorkerProgress>
    {
        public void Report(WorkerProgress value) => job.Update(view => view with { Phase = $"{name}: {value.Phase}" });
    }
}
