using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.FileProviders;

namespace Appliance.UpdateServer.Serve;

/// <summary>
/// The repository's files. Names that a hash or a version is part of never change what they stand for; timestamp.json does at every
/// publication. So a CDN in front needs to know nothing.
/// </summary>
internal static class RepositoryHosting
{
    /// <summary>Where it is.</summary>
    public const string Path = "/repository";

    private const string Forever = "public, max-age=31536000, immutable", Always = "no-cache";

    /// <summary>Adds it.</summary>
    public static void UseRepository(this WebApplication application, string folder) => application.UseStaticFiles(new StaticFileOptions
    {
        FileProvider = new PhysicalFileProvider(System.IO.Path.GetFullPath(folder)),
        RequestPath = Path,
        // Nothing here is a page, whatever its name is.
        ContentTypeProvider = new FileExtensionContentTypeProvider(new Dictionary<string, string>()),
        ServeUnknownFileTypes = true,
        DefaultContentType = "application/octet-stream",
        OnPrepareResponse = Prepare,
    });

    private static void Prepare(StaticFileResponseContext context)
    {
        var headers = context.Context.Response.Headers;
        (headers.CacheControl, headers.XContentTypeOptions, headers.ContentSecurityPolicy) = (context.File.Name is "timestamp.json" ? Always : Forever, "nosniff", "sandbox; default-src 'none'");
    }
}
