using Appliance.Core;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Worker;

/// <summary>The worker's part in credentials: those that need root to be changed.</summary>
internal sealed class CredentialWork(WorkerOptions options, Func<EngineAccess> openEngine, TimeProvider time)
{
    /// <summary>All that are here, with their rotations.</summary>
    public WorkerResult Read()
    {
        var engine = Engine(null);
        return new WorkerResult { Credentials = [.. Open().Select(engine.TryStatus).OfType<CredentialStatus>()] };
    }

    /// <summary>Changes one.</summary>
    /// <exception cref="UserError">There is none of this name, or it failed and the old one is used on.</exception>
    public async Task<WorkerResult> RotateAsync(WorkerRequest request, IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        var (all, engine) = (Open(), Engine(progress));
        var credential = all.FirstOrDefault(known => known.Name == request.Credential) ?? throw new UserError($"There is no credential {request.Credential}.", "appliancectl credentials lists them.");
        if (all.FirstOrDefault(other => other.Name != credential.Name && other.Group is { } group && group == credential.Group && engine.Read(other.Name).IsUnderWay) is { } before)
            throw new UserError($"The rotation of {before.Name} has not ended, and {credential.Name} goes with it.", "It is gone on with by itself; try again then.") { MayPass = true };
        await engine.RotateAsync(credential, request.Reason ?? "", request.Emergency, request.Content is { } content ? Convert.FromBase64String(content) : null, cancellationToken);
        return Read();
    }

    /// <summary>Goes on with what was interrupted, and lets go of what has been kept long enough. One that cannot does not keep the others.</summary>
    /// <exception cref="UserError">The first that could not.</exception>
    public async Task<WorkerResult> ResumeAsync(IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        var engine = Engine(progress);
        UserError? first = null;
        foreach (var credential in Open())
        {
            try
            {
                await engine.ResumeAsync(credential, cancellationToken);
            }
            catch (Exception e) when (e is UserError or InvalidDataException or IOException or UnauthorizedAccessException)
            {
                first ??= e as UserError ?? new UserError($"{credential.Name}: {e.Message}", "What cannot be read of its rotation can be removed; the credential itself is not in it.", e);
            }
        }
        return first is null ? Read() : throw first;
    }

    private IReadOnlyList<ICredential> Open() => CredentialCatalogue.Open(options.Root, options.Units ?? new SystemdUnits(options.BusAddress, time), openEngine, time);

    private RotationEngine Engine(IProgress<WorkerProgress>? progress) => new(options.CredentialFolder, time)
    {
        OnStep = options.OnCredentialStep,
        OnProgress = step => progress?.Report(new WorkerProgress(DeviceView.Word(step), 0, 0, 0, 0, null)),
    };
}
