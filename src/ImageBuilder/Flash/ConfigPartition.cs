using Appliance.Core;
using Appliance.Core.Images;
using Appliance.Core.Provisioning;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Flash;

/// <summary>The small FAT partition on which a device finds what it is told (docs/provisioning.md).</summary>
internal static class ConfigPartition
{
    private const long Largest = 64 << 20;

    /// <summary>Where an image has it.</summary>
    /// <exception cref="UserError">The image has none.</exception>
    public static (long Start, int Size) Find(GptImage? table)
    {
        foreach (var (start, end, label) in table?.Partitions ?? [])
            if (label == ImageIdentity.ConfigLabel && end - start is > 0 and <= Largest) return (start, (int)(end - start));
        throw new UserError($"The image has no partition {ImageIdentity.ConfigLabel} for --provision.", "Build it again with this version, or leave --provision out.");
    }

    /// <summary>Puts the file there. It was looked at before; how the device likes it, it says at its start.</summary>
    /// <param name="told">The file's content.</param>
    /// <param name="table">The image's partitions.</param>
    /// <param name="target">The disk or file with the image.</param>
    /// <param name="writer">What wrote it.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">The partition takes it not, or the device does not keep it.</exception>
    public static async Task PutAsync(byte[] told, GptImage? table, TargetDevice target, ImageWriter writer, CancellationToken cancellationToken)
    {
        var (start, size) = Find(table);
        var partition = new AlignedBuffer(size);
        target.Read(partition.Memory, start);
        var work = Directory.CreateTempSubdirectory("provision"); // 0700: there are secrets in the file
        try
        {
            var (image, file) = (Path.Combine(work.FullName, "config.img"), Path.Combine(work.FullName, ProvisionFile.Name));
            await File.WriteAllBytesAsync(image, partition.Memory, cancellationToken);
            await File.WriteAllBytesAsync(file, told, cancellationToken);
            await ToolRunner.RunAsync("mcopy", ["-o", "-i", image, file, $"::{ProvisionFile.Name}"], cancellationToken: cancellationToken);
            (await File.ReadAllBytesAsync(image, cancellationToken)).CopyTo(partition.Memory);
        }
        catch (ToolFailure e)
        {
            throw new UserError($"What the device is told cannot be put on the image's partition {ImageIdentity.ConfigLabel}: {e.Message}", "Is it the image of this project, and whole?", e);
        }
        finally
        {
            work.Delete(recursive: true);
        }
        writer.Replace(partition, start);
        await writer.VerifyAsync(quietly: true, cancellationToken);
    }
}
