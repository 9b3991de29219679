using System.Text.Json;
using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Hooks;
using Appliance.Supervisor.Updates;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Install;
using ClientFacts = Appliance.UpdateClient.Install.DeviceFacts;

namespace Appliance.Supervisor.Worker;

/// <summary>The verbs that read a repository: look for a version, and write one into the slot that does not run.</summary>
internal sealed class UpdateWork(WorkerOptions options, IBootControl boot, TimeProvider time)
{
    private const string Available = "available", FailedBefore = "failedBefore";
    private readonly RepositoryAccess _access = new(options, time);
    private readonly ImageIdentity _image = ImageIdentity.Read(options.Root);

    /// <summary>Looks for a version.</summary>
    public async Task<WorkerResult> CheckAsync(WorkerRequest request, Stream connection, CancellationToken cancellationToken)
    {
        var source = await _access.OpenAsync(request, connection, cancellationToken);
        try
        {
            var (installer, check) = await CheckAsync(request, source, cancellationToken);
            var result = new WorkerResult { Verdict = Verdict(request, check), Version = check.Offer?.Version };
            if (!request.Plan || result.Verdict != Available) return result;
            var slot = await boot.ChooseTargetAsync(check.Offer!.Version, cancellationToken);
            using var plan = await installer.PlanAsync(check, await boot.ReadRunningAsync(cancellationToken), slot, cancellationToken);
            return result with { DownloadBytes = plan.DownloadBytes, Notes = LastCheck.Kept(plan.Release.Notes) };
        }
        finally
        {
            await RepositoryAccess.CloseAsync(source);
        }
    }

    /// <summary>Installs. When this returns, the version is what the boot loader tries next.</summary>
    public async Task<WorkerResult> InstallAsync(WorkerRequest request, Stream connection, IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        var source = await _access.OpenAsync(request, connection, cancellationToken);
        try
        {
            var (installer, check) = await CheckAsync(request, source, cancellationToken);
            if (Verdict(request, check) is var verdict && verdict != Available) return new WorkerResult { Verdict = verdict, Version = check.Offer?.Version };
            var version = check.Offer!.Version;
            var target = await boot.ChooseTargetAsync(version, cancellationToken);
            var slot = (await boot.ReadSlotsAsync(cancellationToken)).Single(slot => !slot.Running).Name;
            using var plan = await installer.PlanAsync(check, await boot.ReadRunningAsync(cancellationToken), target, cancellationToken);
            var context = new HookContext { Version = version, FromVersion = _image.Version, Slot = slot };
            await options.Hooks.RunAsync(HookPoint.PreInstall, context, cancellationToken);
            // On the disk before the boot entry is: whoever boots that entry knows that it is a trial, and of what. And not before
            // the entry of a version that waits there is gone, which would boot as one of which nothing is known.
            var record = new TrialRecord { Version = version, From = _image.Version, Slot = slot, InstalledBy = DeviceBoot.ReadBootId(options.Root) };
            var result = await installer.InstallAsync(plan, target with { Emptied = () => record.Write(options.TrialPath) }, RepositoryAccess.Translate(progress), cancellationToken);
            var warnings = await options.Hooks.RunAsync(HookPoint.PostInstall, context, cancellationToken);
            return new WorkerResult { Verdict = "installed", Version = result.Version, Slot = slot, DownloadBytes = result.Downloaded, Ways = result.Ways, Warnings = [.. result.Warnings, .. warnings] };
        }
        finally
        {
            await RepositoryAccess.CloseAsync(source);
        }
    }

    private static string Verdict(WorkerRequest request, UpdateCheck check) =>
        check.Verdict == UpdateVerdict.Available && !request.Force && request.Failed?.Contains(check.Offer!.Version) == true ? FailedBefore : JsonNamingPolicy.CamelCase.ConvertName(check.Verdict.ToString());

    private async Task<(UpdateInstaller Installer, UpdateCheck Check)> CheckAsync(WorkerRequest request, IRepositorySource source, CancellationToken cancellationToken)
    {
        var installer = new UpdateInstaller(source, _access.Trust(source), Facts(), new UpdateOptions { StateFolder = options.UpdateFolder, Version = request.Version, Force = request.Force, Time = time });
        var check = await installer.CheckAsync(_access.ChannelOf(request), cancellationToken);
        _access.KeepTime();
        return (installer, check);
    }

    private ClientFacts Facts() => new()
    {
        DeviceId = DeviceId.Read(options.Root),
        Id = _image.Id,
        Board = _image.Board,
        Architecture = DebianArchitecture.Host,
        Version = _image.Version,
    };
}
