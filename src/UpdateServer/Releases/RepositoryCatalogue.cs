using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Fleet;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Microsoft.EntityFrameworkCore;
using Serilog;

namespace Appliance.UpdateServer.Releases;

/// <summary>Keeps the releases in the database as the repository has them. The repository is read as a device reads it: what is not signed is not there.</summary>
internal sealed class RepositoryCatalogue(FleetDatabase database, ServeOptions options, TimeProvider time) : RepeatedWork(Pause, time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);
    private (DateTime, long) _read;

    /// <summary>Why the repository could not be read; null when it could.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Looks whether something was published, and takes it in.</summary>
    /// <exception cref="UserError">The repository cannot be read.</exception>
    public Task RefreshAsync(CancellationToken cancellationToken) => AloneAsync(async () =>
    {
        var folder = options.Repository!;
        var timestamp = new FileInfo(Path.Combine(folder, "metadata", "timestamp.json"));
        if (!timestamp.Exists) return; // nothing was published yet
        var found = (timestamp.LastWriteTimeUtc, timestamp.Length);
        if (found == _read) return;
        using var trusted = await TrustedRepository.OpenAsync(new FolderSource(folder), null, Time, cancellationToken);
        var present = new List<Release>();
        foreach (var channel in trusted.Channels)
            foreach (var published in PublishedRelease.ReadAll(folder, await trusted.Client.ReadChannelAsync(channel, cancellationToken)))
                present.Add(await TakeInAsync(channel, published, cancellationToken));
        var ids = present.Select(release => release.Id).ToList();
        await database.WriteAsync(async context =>
        {
            await context.Releases.Where(row => row.Kind == ReleaseKind.Image || row.Kind == ReleaseKind.Workload).ExecuteUpdateAsync(set => set.SetProperty(row => row.IsAvailable, row => ids.Contains(row.Id)), cancellationToken);
        }, cancellationToken);
        _read = found;
        Log.Information("The repository has {Releases} releases in {Channels} channels", present.Count, trusted.Channels.Count);
    }, cancellationToken);

    /// <inheritdoc/>
    protected override async Task WorkAsync(CancellationToken cancellationToken)
    {
        await RefreshAsync(cancellationToken);
        Trouble = null;
    }

    /// <inheritdoc/>
    protected override void NoteFailure(Exception failure)
    {
        if (Trouble != failure.Message) Log.Error("The repository cannot be read: {Reason}", failure.Message);
        Trouble = failure.Message;
    }

    private async Task<Release> TakeInAsync(string channel, PublishedRelease published, CancellationToken cancellationToken)
    {
        var (offer, bundle) = (published.Offer, published.Release.Bundle);
        var board = offer.Board == BundleHeader.AnyBoard ? "" : offer.Board;
        var kind = offer.Kind == BundleKind.Workload ? ReleaseKind.Workload : ReleaseKind.Image;
        if (await ReadAsync() is { } known) return known;
        // Its hashes were verified by nobody here: a device does that. Those for DDI's other clients are worked out once.
        await using var file = File.OpenRead(Path.Combine(options.Repository!, bundle.Path));
        var digests = await FileDigests.ReadAsync(file, null, long.MaxValue, cancellationToken);
        try
        {
            return await database.WriteAsync(context => Task.FromResult(Add(context)), cancellationToken);
        }
        catch (DbUpdateException)
        {
            // Another server was first, or it cannot be written.
            if (await ReadAsync() is { } other) return other;
            throw;
        }

        Release Add(FleetContext context)
        {
            var release = new Release { Kind = kind, Part = kind == ReleaseKind.Workload ? DdiWords.ApplicationPart : DdiWords.SystemPart, Name = offer.Id, Version = offer.Version, Board = board, Channel = channel, Notes = published.Release.Notes is { Length: > FleetContext.LongestText } notes ? notes[..(FleetContext.LongestText - 1)] + "…" : published.Release.Notes, CreatedAt = Time.GetUtcNow() };
            release.Artifacts.Add(new Artifact { FileName = $"{offer.Id}_{offer.Version}_{offer.Architecture}.bundle", Path = bundle.Path, Size = digests.Size, Sha256 = digests.Sha256, Sha1 = digests.Sha1, Md5 = digests.Md5 });
            foreach (var patches in published.Release.Payloads.SelectMany(payload => payload.Patches).GroupBy(patch => patch.FromVersion))
                release.Deltas.Add(new ReleaseDelta { FromVersion = patches.Key, Size = patches.Sum(patch => patch.Patch.Size) });
            context.Releases.Add(release);
            return release;
        }

        async Task<Release?> ReadAsync()
        {
            await using var context = database.Open();
            return await context.Releases.AsNoTracking().FirstOrDefaultAsync(row => row.Kind == kind && row.Name == offer.Id && row.Version == offer.Version && row.Board == board && row.Channel == channel, cancellationToken);
        }
    }
}
