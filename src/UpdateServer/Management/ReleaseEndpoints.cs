using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Releases;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Management;

/// <summary>Releases: those of the repository, and files for other kinds of devices.</summary>
internal static class ReleaseEndpoints
{
    private static readonly char[] NotInNames = ['/', '\\', '\0'];

    /// <summary>A release, as the API shows it.</summary>
    public sealed record ReleaseView(long Id, ReleaseKind Kind, string Name, string Version, string Board, string Channel, bool Available, string? Notes, DateTimeOffset CreatedAt, IReadOnlyList<ArtifactView> Files);

    /// <summary>A file of a release, as the API shows it.</summary>
    public sealed record ArtifactView(string Name, long Size, string Sha256);

    /// <summary>Adds the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/releases", ListAsync).Requires(Role.Viewer).WithSummary("Releases, the newest first.");
        api.MapPut("/releases/{name}/{version}/files/{file}", UploadAsync).Requires(Role.Operator).WithSummary("Uploads a file for devices that are not ours (SWUpdate, RAUC); the body is the file.");
    }

    private static async Task<IReadOnlyList<ReleaseView>> ListAsync(FleetDatabase database, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        var releases = await context.Releases.AsNoTracking().Include(release => release.Artifacts).OrderByDescending(release => release.Id).Take(ManagementApi.MostRows).ToListAsync(cancellationToken);
        return [.. releases.Select(View)];
    }

    private static async Task<ReleaseView> UploadAsync(ArtifactStore store, HttpContext http, string name, string version, string file, CancellationToken cancellationToken)
    {
        foreach (var part in new[] { name, version, file })
            if (part.Length > FleetContext.LongestName || part.StartsWith('.') || part.IndexOfAny(NotInNames) >= 0) throw new UserError($"\"{part}\" cannot be a name here.", "Use letters, digits, dots and dashes.");
        // A file is bounded by its own option.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = null;
        return View(await store.UploadAsync(name, version, file, http.Request.Body, http.Who(), cancellationToken));
    }

    private static ReleaseView View(Release release) => new(release.Id, release.Kind, release.Name, release.Version, release.Board, release.Channel, release.IsAvailable, release.Notes, release.CreatedAt, [.. release.Artifacts.Select(artifact => new ArtifactView(artifact.FileName, artifact.Size, artifact.Sha256))]);
}
