using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Fleet;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;
using Serilog;

namespace Appliance.Supervisor.Worker;

/// <summary>How the worker reaches repositories and bundles, and what it trusts of them: the root of trust is the image's own.</summary>
internal sealed class RepositoryAccess(WorkerOptions options, TimeProvider time)
{
    /// <summary>Name of the file whose time is that of the last look with a clock that was right.</summary>
    public const string KeptTimeName = "latest-time";

    private readonly bool _synchronised = Device.DeviceFacts.IsClockSet(options.Root);

    private string KeptTimePath => Path.Combine(options.UpdateFolder, KeptTimeName);

    /// <summary>The channel that a request names, or the image's own.</summary>
    public string ChannelOf(WorkerRequest request) => request.Channel ?? Settings().Channel;

    /// <summary>Opens what a request names.</summary>
    /// <exception cref="UserError">There is none, or it cannot be reached.</exception>
    public async Task<IRepositorySource> OpenAsync(WorkerRequest request, Stream connection, CancellationToken cancellationToken)
    {
        if (request.Source == "-") return await BundleSource.OpenAsync(new Unowned(connection), "the bundle that was sent", cancellationToken);
        var settings = Settings();
        var source = request.Source ?? settings.Url
            ?? throw new UserError("This device has no repository to ask.", "Name one (--source URL), or build the image with updates.url.");
        return await RepositoryLocation.OpenAsync(source, (await OptionsAsync(source, settings, cancellationToken)) with { BytesPerSecond = request.BytesPerSecond ?? settings.BytesPerSecond, Time = time }, cancellationToken);
    }

    /// <summary>
    /// The fleet's server is trusted by what the image or whoever joined it says, which lies in clear. It gives the bundles of an
    /// assignment to its members alone: only for those is unsealed by what it knows the device.
    /// </summary>
    private async Task<HttpSourceOptions> OptionsAsync(string source, UpdateSettings settings, CancellationToken cancellationToken)
    {
        var plain = new HttpSourceOptions { Proxy = source == settings.Url && settings.Proxy is { } proxy ? new Uri(proxy) : null };
        if (!Uri.TryCreate(source, UriKind.Absolute, out var address)) return plain;
        var known = plain;
        try
        {
            var file = new FleetMembershipFile(options.FleetPath, options.Seal);
            if (ServerOf(file.ReadClear()) is not { } server || !server.Hosts(address)) return plain;
            known = plain with { Configure = server.Configure };
            if (RepositoryLocation.IsBundle(address) && ServerOf(await file.ReadAsync(cancellationToken)) is { } member) known = plain with { Configure = member.Configure, Authorization = member.Authorization };
        }
        catch (Exception e) when (e is MembershipUnreadableException or UserError or IOException or UnauthorizedAccessException or FormatException or ArgumentException)
        {
            Log.Warning("The fleet's settings cannot be used, and {Source} is asked without them: {Reason}", address.GetLeftPart(UriPartial.Path), e.Message);
        }
        return known;
    }

    private FleetServer? ServerOf(FleetMembership? membership) => FleetServer.Of(ImageSettings.ReadFleet(options.Root), options.Root, membership);

    /// <summary>Closes it.</summary>
    public static async Task CloseAsync(IRepositorySource source)
    {
        if (source is IAsyncDisposable asynchronous) await asynchronous.DisposeAsync();
        else (source as IDisposable)?.Dispose();
    }

    /// <summary>The trusted metadata of a source.</summary>
    public TufClient Trust(IRepositorySource source)
    {
        Directory.CreateDirectory(options.UpdateFolder);
        return new TufClient(source, Path.Combine(options.UpdateFolder, "trust"), ReadTrustedRoot(), new TufClientOptions { Time = time, MinimumTime = EarliestTime(), ClockSynchronised = _synchronised });
    }

    /// <summary>Remembers that the clock was right: it is not believed when it is earlier after a restart.</summary>
    public void KeepTime()
    {
        if (!_synchronised) return;
        DurableFile.Write(KeptTimePath, []);
        File.SetLastWriteTimeUtc(KeptTimePath, time.GetUtcNow().UtcDateTime);
    }

    /// <summary>Progress of the client as the worker tells it.</summary>
    public static IProgress<UpdateProgress> Translate(IProgress<WorkerProgress> progress) => new Translation(progress);

    private UpdateSettings Settings() => ImageSettings.ReadUpdates(options.Root);

    private byte[] ReadTrustedRoot()
    {
        var path = Path.Combine(options.Root, UpdateSettings.TrustedRootPath.TrimStart('/'));
        return File.Exists(path) ? File.ReadAllBytes(path)
            : throw new UserError("This image trusts no repository, so it takes no updates.", "Build it with updates.root in its definition, and flash that.");
    }

    /// <summary>A moment that has certainly passed: the image was built, and an earlier look had a clock that was right.</summary>
    private DateTimeOffset EarliestTime()
    {
        var built = Device.DeviceFacts.ReadBuilt(options.Root);
        DateTimeOffset seen = File.GetLastWriteTimeUtc(KeptTimePath); // 1601 while there is none
        return built > seen ? built : seen;
    }

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
