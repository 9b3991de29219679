using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Hooks;
using Appliance.Supervisor.Updates;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;
using ClientFacts = Appliance.UpdateClient.Install.DeviceFacts;

namespace Appliance.Supervisor.Worker;

/// <summary>The verbs that read a repository: look for a version, and write one into the slot that does not run.</summary>
internal sealed class UpdateWork(WorkerOptions options, IBootControl boot, TimeProvider time)
{
    private const string Available = "available", FailedBefore = "failedBefore";
    private readonly ImageIdentity _image = ImageIdentity.Read(options.Root);

    /// <summary>Looks for a version.</summary>
    public async Task<WorkerResult> CheckAsync(WorkerRequest request, Stream connection, CancellationToken cancellationToken)
    {
        var source = await OpenAsync(request, connection, cancellationToken);
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
            await CloseAsync(source);
        }
    }

    /// <summary>Installs. When this returns, the version is what the boot loader tries next.</summary>
    public async Task<WorkerResult> InstallAsync(WorkerRequest request, Stream connection, IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        var source = await OpenAsync(request, connection, cancellationToken);
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
            var result = await installer.InstallAsync(plan, target with { Emptied = () => record.Write(options.TrialPath) }, new Translation(progress), cancellationToken);
            var warnings = await options.Hooks.RunAsync(HookPoint.PostInstall, context, cancellationToken);
            return new WorkerResult { Verdict = "installed", Version = result.Version, Slot = slot, DownloadBytes = result.Downloaded, Ways = result.Ways, Warnings = [.. result.Warnings, .. warnings] };
        }
        finally
        {
            await CloseAsync(source);
        }
    }

    private static string Verdict(WorkerRequest request, UpdateCheck check) =>
        check.Verdict == UpdateVerdict.Available && !request.Force && request.Failed?.Contains(check.Offer!.Version) == true ? FailedBefore : JsonNamingPolicy.CamelCase.ConvertName(check.Verdict.ToString());

    private async Task<(UpdateInstaller Installer, UpdateCheck Check)> CheckAsync(WorkerRequest request, IRepositorySource source, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(options.UpdateFolder);
        var synchronised = Device.DeviceFacts.IsClockSet(options.Root);
        var trust = new TufClient(source, Path.Combine(options.UpdateFolder, "trust"), ReadTrustedRoot(), new TufClientOptions { Time = time, MinimumTime = EarliestTime(), ClockSynchronised = synchronised });
        var installer = new UpdateInstaller(source, trust, Facts(), new UpdateOptions { StateFolder = options.UpdateFolder, Version = request.Version, Force = request.Force, Time = time });
        var check = await installer.CheckAsync(request.Channel ?? Settings().Channel, cancellationToken);
        if (synchronised) KeepTime();
        return (installer, check);
    }

    private async Task<IRepositorySource> OpenAsync(WorkerRequest request, Stream connection, CancellationToken cancellationToken)
    {
        if (request.Source == "-") return await BundleSource.OpenAsync(new Unowned(connection), "the bundle that was sent", cancellationToken);
        var settings = Settings();
        var source = request.Source ?? settings.Url
            ?? throw new UserError("This device has no repository to ask.", "Name one (appliancectl check --source URL), or build the image with updates.url.");
        return await RepositoryLocation.OpenAsync(source, new HttpSourceOptions { BytesPerSecond = request.BytesPerSecond ?? settings.BytesPerSecond, Proxy = source == settings.Url && settings.Proxy is { } proxy ? new Uri(proxy) : null, Time = time }, cancellationToken);
    }

    private static async Task CloseAsync(IRepositorySource source)
    {
        if (source is IAsyncDisposable asynchronous) await asynchronous.DisposeAsync();
        else (source as IDisposable)?.Dispose();
    }

    private UpdateSettings Settings() => ImageSettings.ReadUpdates(options.Root);

    private byte[] ReadTrustedRoot()
    {
        var path = Path.Combine(options.Root, UpdateSettings.TrustedRootPath.TrimStart('/'));
        return File.Exists(path) ? File.ReadAllBytes(path)
            : throw new UserError("This image trusts no repository, so it takes no updates.", "Build it with updates.root in its definition, and flash that.");
    }

    private ClientFacts Facts() => new()
    {
        DeviceId = DeviceId.Read(options.Root),
        ImageId = _image.Id,
        Board = _image.Board,
        Architecture = DebianArchitecture.Host,
        Version = _image.Version,
    };

    /// <summary>A moment that has certainly passed: the image was built, and an earlier look had a clock that was right.</summary>
    private DateTimeOffset EarliestTime()
    {
        var built = Time(Path.Combine(options.Root, "usr/lib/os-release")); // the builder gives every file its source date
        var seen = Time(KeptTimePath);
        return built > seen ? built : seen;

        static DateTimeOffset Time(string path) => File.Exists(path) ? File.GetLastWriteTimeUtc(path) : DateTimeOffset.MinValue;
    }

    private void KeepTime()
    {
        DurableFile.Write(KeptTimePath, []);
        File.SetLastWriteTimeUtc(KeptTimePath, time.GetUtcNow().UtcDateTime);
    }

    private string KeptTimePath => Path.Combine(options.UpdateFolder, "latest-time");

    private sealed class Translation(IProgress<WorkerProgress> progress) : IProgress<UpdateProgress>
    {
        public void Report(UpdateProgress value) =>
            progress.Report(new(JsonNamingPolicy.CamelCase.ConvertName(value.Phase.ToString()), value.Done, value.Total, value.Downloaded, value.BytesPerSecond, value.TimeLeft?.TotalSeconds));
    }

    /// <summary>The connection goes on to carry the answer when the bundle on it has been read.</summary>
    private sealed class Unowned(Stream inner) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => inner.ReadAsync(buffer, cancellationToken);
        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => inner.ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
