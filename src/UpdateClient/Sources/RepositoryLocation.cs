using Appliance.Core;
using Appliance.Core.Bundles;

namespace Appliance.UpdateClient.Sources;

/// <summary>Opens a repository by what a person writes: an address, a folder, a bundle file, or <c>-</c> for standard input.</summary>
public static class RepositoryLocation
{
    /// <summary>Whether an address is a bundle's and not a repository's: its path ends as a bundle's name does.</summary>
    public static bool IsBundle(Uri address) => address.AbsolutePath.EndsWith(BundleRules.Extension, StringComparison.OrdinalIgnoreCase);

    /// <summary>Opens it. Dispose what comes back where it can be disposed of.</summary>
    /// <exception cref="UserError">There is no such thing.</exception>
    public static async Task<IRepositorySource> OpenAsync(string location, HttpSourceOptions? options, CancellationToken cancellationToken)
    {
        if (location == "-") return await BundleSource.OpenAsync(Console.OpenStandardInput(), "the bundle on standard input", cancellationToken);
        if (location.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || location.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
        {
            if (!Uri.TryCreate(location, UriKind.Absolute, out var address)) throw new UserError($"{location} is no address.", "Example: https://updates.example.com/stable");
            if (!IsBundle(address)) return new HttpSource(address, options);
            var file = Uri.UnescapeDataString(address.Segments[^1]);
            return await BundleSource.OpenAsync(new HttpFileStream(new HttpSource(new Uri(address, "."), options) { File = address }, file), address.GetLeftPart(UriPartial.Path), cancellationToken);
        }
        var path = location.StartsWith("file://", StringComparison.OrdinalIgnoreCase) ? new Uri(location).LocalPath : location;
        if (Directory.Exists(path)) return new FolderSource(path);
        if (!File.Exists(path)) throw new UserError($"There is no {path}.", "Name a repository's address or folder, or a bundle.");
        try
        {
            return await BundleSource.OpenAsync(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 64 << 10, FileOptions.Asynchronous), path, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{path} cannot be read: {e.Message}", null, e);
        }
    }
}
