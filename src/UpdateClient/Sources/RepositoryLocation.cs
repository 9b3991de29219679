using Appliance.Core;

namespace Appliance.UpdateClient.Sources;

/// <summary>Opens a repository by what a person writes: an address, a folder, a bundle file, or <c>-</c> for standard input.</summary>
public static class RepositoryLocation
{
    /// <summary>Opens it. Dispose what comes back where it can be disposed of.</summary>
    /// <exception cref="UserError">There is no such thing.</exception>
    public static async Task<IRepositorySource> OpenAsync(string location, HttpSourceOptions? options, CancellationToken cancellationToken)
    {
        if (location == "-") return await BundleSource.OpenAsync(Console.OpenStandardInput(), "the bundle on standard input", cancellationToken);
        if (location.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || location.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
            return Uri.TryCreate(location, UriKind.Absolute, out var address) ? new HttpSource(address, options) : throw new UserError($"{location} is no address.", "Example: https://updates.example.com/stable");
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
