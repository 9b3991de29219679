using Appliance.Core.Bundles;

namespace Appliance.ImageBuilder.Disk;

/// <summary>
/// Writes disk.img as a zstd stream of independent frames. The root's frames are the bundle's, taken as they are; places
/// that hold nothing cost no reading.
/// </summary>
internal static class CompressedDisk
{
    /// <summary>Compresses a disk image.</summary>
    /// <param name="image">The raw disk.</param>
    /// <param name="layout">Its partitions.</param>
    /// <param name="root">The packed root, which slot A holds.</param>
    /// <param name="used">Bytes in use at the start of partitions that hold less than their size.</param>
    /// <param name="target">The file to write.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task WriteAsync(string image, DiskLayout layout, PackedPayload root, IReadOnlyDictionary<DiskPartition, long> used, string target, CancellationToken cancellationToken)
    {
        using var source = File.OpenHandle(image);
        await using var output = new FileStream(target, FileMode.Create, FileAccess.Write);
        await FrameCompressor.CompressAsync(source, 0, layout.Boot[0].Offset, output, null, cancellationToken);
        foreach (var partition in layout.Partitions.OrderBy(partition => partition.Offset))
        {
            var filled = used.GetValueOrDefault(partition);
            if (partition == layout.RootA)
            {
                await using var packed = File.OpenRead(root.Path);
                await packed.CopyToAsync(output, cancellationToken);
            }
            else await FrameCompressor.CompressAsync(source, partition.Offset, filled, output, null, cancellationToken);
            await FrameCompressor.WriteZerosAsync(partition.Size - filled, output, cancellationToken);
        }
        await FrameCompressor.CompressAsync(source, layout.Data.End, layout.Size - layout.Data.End, output, null, cancellationToken);
    }
}
