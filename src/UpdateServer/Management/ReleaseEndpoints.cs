using Appliance.Core;
using Appliance.Core.Fleet;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Releases;
using Microsoft.AspNetCore.Http.Features;

namespace Appliance.UpdateServer.Management;

/// <summary>Releases: those of the repository, files for other kinds of devices, and rotations of credentials.</summary>
internal static class ReleaseEndpoints
{
    private static readonly char[] NotInNames = ['/', '\\', '\0'];

    /// <summary>A rotation to be made.</summary>
    public sealed record NewRotation(string Credential, string? Version);

    /// <summary>Adds the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/releases", (ReleaseReader releases, string? kind, int? take, CancellationToken stop) => releases.ListAsync(Kinds(kind), ManagementApi.Rows(take, 100), stop)).Requires(Role.Viewer).WithSummary("Releases, the newest first: of one kind, or of all; take is how many of each kind at most.");
        api.MapPut("/releases/{name}/{version}/files/{file}", UploadAsync).Requires(Role.Operator).WithSummary("Uploads a file: for devices that are not ours (SWUpdate, RAUC), or a bundle; the body is the file. part is os (the default), bApp for a workload, or rotation for a credential that proves itself, such as ssh-authorized-keys.");
        api.MapPost("/rotations", async (RotationBook rotations, HttpContext http, NewRotation given, CancellationToken stop) => ReleaseReader.View(await rotations.CreateAsync(given.Credential, given.Version, http.Who(), stop))).Requires(Role.Operator).WithSummary("Makes a release without files, by which devices make a credential anew; without a version it has the time's.");
    }

    private static IReadOnlyList<ReleaseKind> Kinds(string? kind) => kind is null ? [.. ReleaseReader.Software, ReleaseKind.Rotation]
        : Enum.TryParse<ReleaseKind>(kind, ignoreCase: true, out var one) && Enum.IsDefined(one) ? [one] : throw new UserError($"There is no kind {kind}.", $"They are {string.Join(", ", Enum.GetNames<ReleaseKind>()).ToLowerInvariant()}.");

    private static async Task<ReleaseReader.ReleaseView> UploadAsync(ArtifactStore store, HttpContext http, string name, string version, string file, string? part, CancellationToken cancellationToken)
    {
        foreach (var text in new[] { name, version, file })
            if (text.Length > FleetContext.LongestName || text.StartsWith('.') || text.IndexOfAny(NotInNames) >= 0) throw new UserError($"\"{text}\" cannot be a name here.", "Use letters, digits, dots and dashes.");
        if (part is not (null or DdiWords.SystemPart or DdiWords.ApplicationPart or DdiWords.RotationPart)) throw new UserError($"part is {DdiWords.SystemPart}, {DdiWords.ApplicationPart} or {DdiWords.RotationPart}.");
        if (part == DdiWords.RotationPart) RotationBook.RequireName(name);
        // A file is bounded by its own option.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = null;
        return ReleaseReader.View(await store.UploadAsync(name, version, part ?? DdiWords.SystemPart, file, http.Request.Body, http.Who(), cancellationToken));
    }
}
