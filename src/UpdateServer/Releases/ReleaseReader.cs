using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Releases;

/// <summary>Releases, as people see them. Of each kind there are so many at most: a thousand rotations hide no software.</summary>
internal sealed class ReleaseReader(FleetDatabase database)
{
    private const int MostOffered = 200;

    /// <summary>What devices can have installed.</summary>
    public static readonly IReadOnlyList<ReleaseKind> Software = [ReleaseKind.Image, ReleaseKind.Workload, ReleaseKind.Files];

    /// <summary>A release.</summary>
    public sealed record ReleaseView(long Id, ReleaseKind Kind, string Name, string Version, string Part, string Board, string Channel, bool Available, string? Notes, DateTimeOffset CreatedAt, IReadOnlyList<ArtifactView> Files, IReadOnlyList<DeltaView> Deltas);

    /// <summary>A file of a release.</summary>
    public sealed record ArtifactView(string Name, long Size, string Sha256);

    /// <summary>How many bytes a device fetches that comes from an earlier version by patches.</summary>
    public sealed record DeltaView(string From, long Size);

    /// <summary>Releases, the newest first.</summary>
    /// <param name="kinds">Of these kinds.</param>
    /// <param name="take">At most so many of each.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<IReadOnlyList<ReleaseView>> ListAsync(IEnumerable<ReleaseKind> kinds, int take, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        return await ReadAsync(context.Releases, kinds, take, cancellationToken);
    }

    /// <summary>Releases that somebody may choose, the newest first. Of the rotations of a credential that is the newest: an older one does the same.</summary>
    /// <param name="kinds">Of these kinds.</param>
    /// <param name="chosen">One that was chosen already, and is there in any case; null for none.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<IReadOnlyList<ReleaseView>> ListOfferedAsync(IEnumerable<ReleaseKind> kinds, long? chosen, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        var newest = context.Releases.Where(release => release.Kind == ReleaseKind.Rotation).GroupBy(release => release.Name).Select(group => group.Max(release => release.Id));
        var offered = await ReadAsync(context.Releases.Where(release => release.IsAvailable && (release.Kind != ReleaseKind.Rotation || newest.Contains(release.Id))), kinds, MostOffered, cancellationToken);
        return chosen is null || offered.Any(release => release.Id == chosen) ? offered : [.. await ReadAsync(context.Releases.Where(release => release.IsAvailable && release.Id == chosen), kinds, 1, cancellationToken), .. offered];
    }

    /// <summary>A release as people see it.</summary>
    public static ReleaseView View(Release release) => new(release.Id, release.Kind, release.Name, release.Version, release.Part, release.Board, release.Channel, release.IsAvailable, release.Notes, release.CreatedAt,
        [.. release.Artifacts.Select(artifact => new ArtifactView(artifact.FileName, artifact.Size, artifact.Sha256))],
        [.. release.Deltas.OrderBy(delta => delta.Size).Select(delta => new DeltaView(delta.FromVersion, delta.Size))]);

    private static async Task<IReadOnlyList<ReleaseView>> ReadAsync(IQueryable<Release> releases, IEnumerable<ReleaseKind> kinds, int take, CancellationToken cancellationToken)
    {
        var found = new List<Release>();
        foreach (var kind in kinds)
            found.AddRange(await releases.AsNoTracking().AsSplitQuery().Include(release => release.Artifacts).Include(release => release.Deltas).Where(release => release.Kind == kind).OrderByDescending(release => release.Id).Take(take).ToListAsync(cancellationToken));
        return [.. found.OrderByDescending(release => release.Id).Select(View)];
    }
}
