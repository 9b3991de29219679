using Appliance.Core;

namespace Appliance.ImageBuilder.Run;

/// <summary>A raw image to boot: given as such, found in a build's folder, or unpacked to a temporary file.</summary>
internal sealed class BootableImage : IAsyncDisposable
{
    private readonly bool _temporary;

    private BootableImage(string path, bool temporary) => (Path, _temporary) = (path, temporary);

    /// <summary>The raw image.</summary>
    public string Path { get; }

    /// <summary>Finds or unpacks the image.</summary>
    /// <exception cref="UserError">There is none.</exception>
    public static async Task<BootableImage> OpenAsync(string given, CancellationToken cancellationToken)
    {
        var path = Directory.Exists(given) ? System.IO.Path.Combine(given, "disk.img") : given;
        if (!File.Exists(path) && Directory.Exists(given)) path += ".zst";
        if (!File.Exists(path)) throw new UserError($"There is no image {given}.", "Name disk.img, disk.img.zst, or the folder a build made, e.g. out/appliance_1.0.0_amd64.");
        if (!path.EndsWith(".zst", StringComparison.Ordinal)) return new BootableImage(path, temporary: false);

        var unpacked = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"appliance-{Guid.NewGuid():N}.img");
        Console.Error.WriteLine($"Unpacking {path} …");
        try
        {
            await using var target = new FileStream(unpacked, FileMode.CreateNew, FileAccess.Write);
            await using var source = new ZstdSharp.DecompressionStream(File.OpenRead(path), leaveOpen: false);
            await Disk.SparseCopy.CopyAsync(source, target.SafeFileHandle, null, cancellationToken);
        }
        catch
        {
            File.Delete(unpacked);
            throw;
        }
        return new BootableImage(unpacked, temporary: true);
    }

    public ValueTask DisposeAsync()
    {
        if (_temporary) File.Delete(Path);
        return ValueTask.CompletedTask;
    }
}
