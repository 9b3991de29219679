using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Releases;

/// <summary>Releases, as people see them.</summary>
internal sealed class ReleaseReader(FleetDatabase database)
{
    /// <summary>A release.</summary>
    public sealed record ReleaseView(long Id, ReleaseKind Kind, string Name, string Version, string Part, string Board, string Channel, bool Available, string? Notes, DateTimeOffset CreatedAt, IReadOnlyList<ArtifactView> Files, IReadOnlyList<DeltaView> Deltas);

    /// <summary>A file of a release.</summary>
    public sealed record ArtifactView(string Name, long Size, string Sha256);

    /// <summary>How many bytes a device fetches that comes from an earlier version by patches.</summary>
    public sealed record DeltaView(string From, long Size);

    /// <summary>Releases, the newest first.</summary>
    public async Task<IReadOnlyList<ReleaseView>> ListAsync(int take, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        var releases = await context.Releases.AsNoTracking().AsSplitQuery().Include(release => release.Artifacts).Include(release => release.Deltas).OrderByDescending(release => release.Id).Take(take).ToListAsync(cancellationToken);
        return [.. releases.Select(View)];
    }

    /// <summary>A release as people see it.</summary>
    public static ReleaseView View(Release release) => new(release.Id, release.Kind, release.Name, release.Version, release.Part, release.Board, release.Channel, release.IsAvailable, release.Notes, release.CreatedAt,
        [.. release.Artifacts.Select(artifact => new ArtifactView(artifact.FileName, artifact.Size, artifact.Sha256))],
        [.. release.Deltas.OrderBy(delta => delta.Size).Select(delta => new DeltaView(delta.FromVersion, delta.Size))]);
}
