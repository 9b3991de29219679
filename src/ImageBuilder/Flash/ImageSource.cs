using System.Text;
using Appliance.Core;
using Appliance.ImageBuilder.BlockMaps;
using Appliance.UpdateClient.Sources;

namespace Appliance.ImageBuilder.Flash;

/// <summary>
/// An image by its path or address, plain or compressed, and its block map. Over a network a transfer that breaks goes on where it was.
/// </summary>
internal sealed class ImageSource : IAsyncDisposable
{
    private readonly HashedStream? _hashed;

    private ImageSource(IImageContent content, BlockMap? map, HashedStream? hashed) => (Content, Map, _hashed) = (content, map, hashed);

    /// <summary>Its plain bytes.</summary>
    public IImageContent Content { get; }

    /// <summary>What of it holds data; null when there is no map.</summary>
    public BlockMap? Map { get; }

    /// <summary>Opens an image.</summary>
    /// <param name="location">A path or an http(s) address.</param>
    /// <param name="mapLocation">Where its map is; null for beside it.</param>
    /// <param name="useMap">False to do without.</param>
    /// <param name="hashWanted">Whether <see cref="RequireHashAsync"/> will be asked.</param>
    /// <param name="always">Bytes at the start that are read though the map does not have them.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="UserError">It is not there, or not to be used.</exception>
    public static async Task<ImageSource> OpenAsync(string location, string? mapLocation, bool useMap, bool hashWanted, int always, CancellationToken cancellationToken)
    {
        var address = WebAddress.IsWeb(location) ? new Uri(location) : null;
        if (address?.Scheme == Uri.UriSchemeHttp && !hashWanted)
            throw new UserError($"{location} would come over a connection that anybody on the way can change.", "Use https, or add --sha256 with the image's hash from a place you trust (build.json has it).");
        var map = useMap ? await FindMapAsync(location, address, mapLocation, cancellationToken) : null;
        Stream file = address is null ? OpenFile(location) : OpenAddress(address);
        var hashed = hashWanted ? new HashedStream(file) : null;
        var stream = hashed ?? file;
        try
        {
            var name = address?.AbsolutePath ?? location;
            IImageContent content = Suffix(name) switch
            {
                ".zst" => new ZstdContent(stream, (start, end) => map is null || start < always || map.Covers(start, end)),
                ".xz" => await XzContent.OpenAsync(stream, address is null ? location : null, cancellationToken),
                ".gz" or ".zip" or ".bz2" => throw new UserError($"{name} is compressed in a way that is not known here.", "Unpack it first; .img, .img.zst and .img.xz are known."),
                _ => new PlainContent(stream, file.CanSeek ? file.Length : null),
            };
            return new ImageSource(content, map, hashed);
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads the file to its end and compares its hash.</summary>
    /// <exception cref="UserError">It is another.</exception>
    public async Task RequireHashAsync(string sha256, CancellationToken cancellationToken)
    {
        await Content.FinishAsync(cancellationToken);
        if (_hashed!.Sha256 != sha256) throw new UserError($"The image is not the one that was meant: its SHA-256 is {_hashed.Sha256}.", $"Wanted was {sha256}. Fetch it again, or find out who changed it.");
    }

    public ValueTask DisposeAsync() => Content.DisposeAsync();

    private static async Task<BlockMap?> FindMapAsync(string location, Uri? address, string? given, CancellationToken cancellationToken)
    {
        if (given is not null)
        {
            if (WebAddress.IsWeb(given) && new Uri(given).Scheme == Uri.UriSchemeHttp)
                throw new UserError($"{given} would come over a connection that anybody on the way can change, and says what of the image is left out.", "Use https or a file for --bmap.");
            return await ReadMapAsync(given, cancellationToken) ?? throw new UserError($"There is no block map {given}.", "Name the .bmap that belongs to the image, or leave --bmap out.");
        }
        // What nobody vouches for must not say what is left out.
        if (address?.Scheme == Uri.UriSchemeHttp) return null;
        foreach (var candidate in Beside(location, address))
            if (await ReadMapAsync(candidate, cancellationToken) is { } map) return map;
        return null;
    }

    private static IEnumerable<string> Beside(string location, Uri? address)
    {
        var path = address?.AbsolutePath ?? location;
        var plain = Suffix(path).Length > 0 && Suffix(path) != ".img" ? path[..^Suffix(path).Length] : path;
        foreach (var name in new[] { plain + ".bmap", path + ".bmap" }.Distinct())
            yield return address is null ? name : new UriBuilder(address) { Path = name }.Uri.AbsoluteUri;
    }

    private static async Task<BlockMap?> ReadMapAsync(string location, CancellationToken cancellationToken)
    {
        if (!WebAddress.IsWeb(location)) return File.Exists(location) ? BlockMap.Read(location) : null;
        var address = new Uri(location);
        using var source = new HttpSource(new Uri(address, "."), new HttpSourceOptions()) { File = address };
        return await source.TryReadAsync(address.Segments[^1], BlockMap.LargestFile, cancellationToken) is { } bytes ? BlockMap.Parse(location, Encoding.UTF8.GetString(bytes)) : null;
    }

    private static FileStream OpenFile(string path)
    {
        if (Directory.Exists(path)) throw new UserError($"{path} is a folder.", $"Name the image in it, e.g. {Path.Combine(path, "disk.img.zst")}.");
        if (!File.Exists(path)) throw new UserError($"There is no image {path}.", "Name the disk.img or disk.img.zst that a build made, or an https address.");
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous | FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{path} cannot be read: {e.Message}", null, e);
        }
    }

    private static HttpFileStream OpenAddress(Uri address) =>
        new(new HttpSource(new Uri(address, "."), new HttpSourceOptions()) { File = address }, Uri.UnescapeDataString(address.Segments[^1]));

    private static string Suffix(string path) => Path.GetExtension(path).ToLowerInvariant();
}
