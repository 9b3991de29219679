using System.Text.Json;
using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Releases;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.UpdateServer.Management;

/// <summary>Publishing into the hosted repository.</summary>
internal static class RepositoryEndpoints
{
    private const int LargestMetadata = 32 << 20;

    /// <summary>Files of a publication, with their sizes.</summary>
    public sealed record Sizes(IReadOnlyDictionary<string, long>? Files);

    /// <summary>Files of a publication.</summary>
    public sealed record Paths(IReadOnlyList<string> Files);

    /// <summary>Signed metadata by role, in base64.</summary>
    public sealed record SignedFiles(IReadOnlyDictionary<string, byte[]>? Files);

    /// <summary>Adds the endpoints. Large bodies are read once it is known who sends them.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/repository", (RepositoryPublisher publisher) => new { Versions = publisher.ReadVersions() }).Requires(Role.Operator).WithSummary("Versions of the metadata that there are, by role.");
        api.MapPost("/repository/missing", async (RepositoryPublisher publisher, HttpContext http) => new Paths(await publisher.FindMissingAsync((await ReadAsync<Sizes>(http)).Files ?? throw Incomplete(), http.RequestAborted)))
            .Accepts<Sizes>("application/json").WithMetadata(new RequestSizeLimitAttribute(LargestMetadata)).Requires(Role.Operator).WithSummary("Which files of a publication have to be sent.");
        api.MapPut("/repository/files/{**path}", (RepositoryPublisher publisher, HttpContext http, string path, CancellationToken stop) => publisher.StoreAsync(path, http.Request.Body, stop)).WithMetadata(new DisableRequestSizeLimitAttribute()).Requires(Role.Operator).WithSummary("Sends a file of a publication; its name says its content.");
        api.MapPost("/repository/metadata", async (RepositoryPublisher publisher, HttpContext http) => await publisher.PublishAsync((await ReadAsync<SignedFiles>(http)).Files ?? throw Incomplete(), http.Who(), http.RequestAborted))
            .Accepts<SignedFiles>("application/json").WithMetadata(new RequestSizeLimitAttribute(LargestMetadata)).Requires(Role.Operator).WithSummary("Publishes targets and channels that their keys have signed; the server signs snapshot and timestamp.");
    }

    private static async Task<T> ReadAsync<T>(HttpContext http) where T : class
    {
        try
        {
            return await http.Request.ReadFromJsonAsync<T>(http.RequestAborted) ?? throw Incomplete();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or InvalidDataException)
        {
            throw new UserError($"The body is no JSON as it should be: {e.Message}", "", e);
        }
    }

    private static UserError Incomplete() => new("The body lacks its files.");
}
