using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Releases;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.UpdateServer.Management;

/// <summary>Publishing into the hosted repository.</summary>
internal static class RepositoryEndpoints
{
    private const int LargestMetadata = 32 << 20;

    /// <summary>Files of a publication.</summary>
    public sealed record Paths(IReadOnlyList<string> Files);

    /// <summary>Signed metadata by role, in base64.</summary>
    public sealed record SignedFiles(IReadOnlyDictionary<string, byte[]> Files);

    /// <summary>Adds the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/repository", (RepositoryPublisher publisher) => new { Versions = publisher.ReadVersions() }).Requires(Role.Operator).WithSummary("Versions of the metadata that there are, by role.");
        api.MapPost("/repository/missing", (RepositoryPublisher publisher, Paths given) => new Paths(publisher.FindMissing(given.Files))).WithMetadata(new RequestSizeLimitAttribute(LargestMetadata)).Requires(Role.Operator).WithSummary("Which files of a publication have to be sent.");
        api.MapPut("/repository/files/{**path}", (RepositoryPublisher publisher, HttpContext http, string path, CancellationToken stop) => publisher.StoreAsync(path, http.Request.Body, stop)).WithMetadata(new DisableRequestSizeLimitAttribute()).Requires(Role.Operator).WithSummary("Sends a file of a publication; its name says its content.");
        api.MapPost("/repository/metadata", (RepositoryPublisher publisher, HttpContext http, SignedFiles given, CancellationToken stop) => publisher.PublishAsync(given.Files, http.Who(), stop)).WithMetadata(new RequestSizeLimitAttribute(LargestMetadata)).Requires(Role.Operator).WithSummary("Publishes targets and channels that their keys have signed; the server signs snapshot and timestamp.");
    }
}
