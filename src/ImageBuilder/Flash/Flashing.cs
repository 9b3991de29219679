using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Provisioning;
using Appliance.ImageBuilder.BlockMaps;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Flash;

/// <summary>One run of <c>appliance flash</c>: which disk, what image, do they fit, write, read back, eject.</summary>
internal sealed class Flashing(FlashOptions options)
{
    private const int EdgeOfPartition = 1 << 20;
    private const string Incomplete = "is incomplete and has no partition table, so that it does not boot; flash it again.";

    private readonly TransferProgress _progress = new(options.Json);
    private readonly DiskChoice _choice = new(options.Json);

    /// <summary>The provision file as it was looked at: what stands in its place minutes later, or a pipe that is empty then, does not count.</summary>
    private byte[]? _told;

    /// <summary>Does it.</summary>
    /// <exception cref="UserError">Something speaks against it, or the image or the device is bad.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (options.Provision is { } told) _told = ReadProvision(told);
        if (options.Device is "") throw new UserError("The device's name is empty.", "Name a disk such as /dev/sdX, or leave it out to see what there is.");
        if (!WebAddress.IsWeb(options.Image) && !File.Exists(options.Image) && !Directory.Exists(options.Image)) throw new UserError($"There is no image {options.Image}.", "Name the disk.img or disk.img.zst that a build made, or an https address.");
        var device = options.Device is { } given ? Path.GetFullPath(given) : null;
        if (device is not null && !device.StartsWith("/dev/", StringComparison.Ordinal))
        {
            if (options.Device == Path.GetFileName(device) && Directory.Exists($"/sys/class/block/{options.Device}") && !File.Exists(device))
                throw new UserError($"{options.Device} would be a file in this folder, and there is a disk of that name.", $"Name the disk as /dev/{options.Device}, or the file as ./{options.Device}.");
            await ToFileAsync(device, cancellationToken);
            return;
        }
        var disk = device is null ? await _choice.ChooseAsync(options.All, cancellationToken) : await DiskList.FindAsync(device, cancellationToken);
        await ToDiskAsync(disk, cancellationToken);
    }

    private async Task ToDiskAsync(FlashDisk disk, CancellationToken cancellationToken)
    {
        // What no consent can mend.
        if (disk.Size == 0) throw new UserError($"There is no card in {disk.Path}.", "Put one in.");
        if (disk.IsReadOnly) throw new UserError($"{disk.Path} is write-protected.", "Check the card's switch; --force cannot help.");
        if (disk.SectorSize != TargetDevice.Sector) throw new UserError($"{disk.Path} has sectors of {disk.SectorSize} bytes, and images are made for 512.", "Use another disk, or switch it to 512-byte sectors (nvme format, hdparm --set-sector-size).");

        await using var source = await OpenAsync(cancellationToken);
        var image = await PeekedContent.LookAsync(source.Content, HeldBack.Size, cancellationToken);
        var (table, size) = LookAt(source, image);
        if (size > disk.Size || disk.Size < 2 * HeldBack.Size)
            throw new UserError($"{disk.Path} ({ByteSize.Format(disk.Size)}) is too small for the image ({ByteSize.Format(size ?? 2 * HeldBack.Size)}).", "Use a larger disk, or make the image smaller (sizes in the definition); --force cannot help.");
        var dangers = disk.Dangers().ToList();
        await _choice.ConfirmAsync(disk, dangers, options.Yes, options.Force, cancellationToken);
        await DiskChoice.ReleaseAsync(disk, cancellationToken);

        using var target = TargetDevice.OpenDisk(disk, inUse: dangers.Any(danger => danger.StaysInUse));
        var ends = new HeldBack(disk.Size);
        var writer = new ImageWriter(image, source.Map, target, ends, source.Map?.MappedBytes ?? size ?? 0, _progress.Show);
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            await WriteDiskAsync(source, table, target, ends, writer, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            _progress.EndLine();
            throw new InterruptedHalfway($"Interrupted. {disk.Path} {Incomplete}", cancellationToken);
        }
        catch (UserError e)
        {
            _progress.EndLine();
            throw new UserError(e.Message, $"{(e.Hint is null ? "" : $"{e.Hint}\n  ")}{disk.Path} {Incomplete}", e);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            _progress.EndLine();
            throw new UserError(e.Message, $"{disk.Path} {Incomplete}", e);
        }
        var ejected = !options.WithoutEjecting && disk.IsRemovable && target.TryEject();
        if (!ejected) target.RereadPartitions();
        Report(disk.Path, writer, ejected, ejected || disk.IsRemovable ? $"{disk.Path} can be taken out." : $"{disk.Path} is ready.");
    }

    private async Task WriteDiskAsync(ImageSource source, GptImage? table, TargetDevice target, HeldBack ends, ImageWriter writer, CancellationToken cancellationToken)
    {
        // From here on the disk is nobody's: what an interruption leaves is not half of an old system either. What is discarded need not
        // read as zeros.
        writer.WriteEnds();
        target.DiscardAll(cancellationToken);
        writer.WriteEnds();
        await writer.WriteAsync(cancellationToken);
        RequireWhole(table, writer.ImageSize);
        if (source.Map is { } map && table is not null) WriteEdges(map, table, ends, writer);
        target.Flush();
        if (options.Sha256 is { } wanted) await source.RequireHashAsync(wanted, cancellationToken);
        if (!options.WithoutVerifying) await writer.VerifyAsync(quietly: false, cancellationToken);

        if (_told is { } told) await ConfigPartition.PutAsync(told, table, target, writer, cancellationToken);
        if (GptImage.Read(ends.Head.Span) is not null)
        {
            var backup = GptImage.Relocate(ends.Head.Span, target.Size!.Value);
            backup.CopyTo(ends.Tail[^backup.Length..]);
        }
        cancellationToken.ThrowIfCancellationRequested();
        writer.WriteEnds();
        if (!options.WithoutVerifying) await writer.VerifyAsync(quietly: true, CancellationToken.None);
    }

    /// <summary>
    /// The edges of partitions, where file systems, RAID and LVM put what they are known by: what the map leaves out there would be
    /// that of the disk's former life.
    /// </summary>
    private static void WriteEdges(BlockMap map, GptImage table, HeldBack ends, ImageWriter writer)
    {
        foreach (var (start, end, _) in table.Partitions)
        {
            var middle = Math.Max(start, end - EdgeOfPartition);
            foreach (var (from, to) in map.Unmapped(start, Math.Min(end, start + EdgeOfPartition)).Concat(map.Unmapped(middle, end)))
                writer.WriteZeros(Math.Max(from, HeldBack.Size), Math.Min(to, ends.TailStart));
        }
    }

    private async Task ToFileAsync(string path, CancellationToken cancellationToken)
    {
        if (Directory.Exists(path)) throw new UserError($"{path} is a folder.", "Name a disk such as /dev/sdX, or a file.");
        await using var source = await OpenAsync(cancellationToken);
        if (File.Exists(path)) await _choice.ConfirmAsync(new FileInfo(path), options.Yes, cancellationToken);
        var image = await PeekedContent.LookAsync(source.Content, HeldBack.Size, cancellationToken);
        var (table, size) = LookAt(source, image);
        var partial = $"{path}.{Guid.NewGuid():N}.partial";
        try
        {
            using var target = TargetDevice.CreateFile(partial, isSecret: _told is not null);
            var writer = new ImageWriter(image, source.Map, target, null, source.Map?.MappedBytes ?? size ?? 0, _progress.Show);
            await writer.WriteAsync(cancellationToken);
            RequireWhole(table, writer.ImageSize);
            target.SetLength(writer.ImageSize);
            target.Flush();
            if (options.Sha256 is { } wanted) await source.RequireHashAsync(wanted, cancellationToken);
            if (!options.WithoutVerifying) await writer.VerifyAsync(quietly: false, cancellationToken);
            if (_told is { } told) await ConfigPartition.PutAsync(told, table, target, writer, cancellationToken);
            File.Move(partial, path, overwrite: true);
            DurableFile.SyncFolder(Path.GetDirectoryName(path)!);
            Report(path, writer, false, $"{path} is ready.");
        }
        catch (Exception e)
        {
            _progress.EndLine();
            if (IsTrouble(e)) throw new UserError($"{path} was not made: {e.Message}", null, e);
            throw;
        }
        finally
        {
            File.Delete(partial);
        }
    }

    private async Task<ImageSource> OpenAsync(CancellationToken cancellationToken)
    {
        var source = await ImageSource.OpenAsync(options.Image, options.Map, !options.WithoutMap, options.Sha256 is not null, HeldBack.Size, cancellationToken);
        if (source.Map is null && !options.WithoutMap && !options.Json) Console.Error.WriteLine("There is no block map beside the image: all of it is written.");
        return source;
    }

    private static byte[] ReadProvision(string path)
    {
        if (!ToolRunner.IsInstalled("mcopy")) throw new UserError("--provision needs mcopy.", "apt-get install mtools");
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read);
            var bytes = new byte[ProvisionFile.Largest + 1];
            var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > ProvisionFile.Largest) throw new UserError($"{path} is larger than {ByteSize.Format(ProvisionFile.Largest)}.", "It holds what one device is told, and nothing else.");
            var told = bytes[..length];
            _ = ProvisionFile.Parse(path, ProvisionFile.TextOf(told));
            return told;
        }
        catch (Exception e) when (IsTrouble(e))
        {
            throw new UserError($"{path} cannot be read: {e.Message}", null, e);
        }
    }

    /// <summary>What a medium, a network or a file has, and not this program.</summary>
    private static bool IsTrouble(Exception e) => e is IOException or InvalidDataException or UnauthorizedAccessException;

    /// <summary>The image's own partition table, and its length where anything says it.</summary>
    /// <exception cref="UserError">It is none that a machine could start from, or not whole, or has no place for what the device is told.</exception>
    private (GptImage? Table, long? Size) LookAt(ImageSource source, PeekedContent image)
    {
        var table = GptImage.Read(image.Head.Span);
        if (table is null) RequireBootSector(image.Head.Span);
        var size = source.Map?.ImageSize ?? image.Size ?? table?.ImageSize;
        RequireWhole(table, size);
        if (_told is not null) ConfigPartition.Find(table);
        return (table, size);
    }

    /// <summary>What is no image would be written and read back as well as one: another file of a build, a page that a server sent instead, an image under a name that hides how it is packed.</summary>
    private void RequireBootSector(ReadOnlySpan<byte> head)
    {
        const int signature = 510; // UEFI specification 2.10, table 5.1
        if (head.Length > signature + 1 && head[signature] == 0x55 && head[signature + 1] == 0xAA) return;
        var packed = head switch
        {
            [0x28, 0xB5, 0x2F, 0xFD, ..] => ".zst",
            [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => ".xz",
            [0x1F, 0x8B, ..] => ".gz",
            [(byte)'P', (byte)'K', 3, 4, ..] => ".zip",
            [(byte)'Q', (byte)'F', (byte)'I', 0xFB, ..] => ".qcow2",
            _ => null,
        };
        throw packed is null
            ? new UserError($"{options.Image} is no disk image: it has neither a partition table nor a boot sector.", "Name the disk.img, disk.img.zst or disk.img.xz that a build made.")
            : new UserError($"{options.Image} is a {packed} file, and its name does not say so.", packed is ".zst" or ".xz" ? $"Give it a name that ends in .img{packed}." : "Unpack it first; .img, .img.zst and .img.xz are known.");
    }

    /// <summary>Whether an image is as long as its own partition table says; without a table or a length nobody can tell.</summary>
    private static void RequireWhole(GptImage? table, long? size)
    {
        if (table?.ImageSize > size) throw new UserError($"The image is damaged: it has {size} bytes, and its partition table is of a disk with {table.ImageSize}.", "Copy, fetch or build it again.");
    }

    private void Report(string device, ImageWriter writer, bool ejected, string ready)
    {
        _progress.EndLine();
        var seconds = _progress.Elapsed.TotalSeconds;
        if (options.Json)
        {
            Console.WriteLine(new JsonObject
            {
                ["event"] = "done",
                ["device"] = device,
                ["bytes"] = writer.ImageSize,
                ["written"] = writer.WrittenBytes,
                ["verified"] = !options.WithoutVerifying,
                ["ejected"] = ejected,
                ["seconds"] = Math.Round(seconds, 1),
            }.ToJsonString());
            return;
        }
        Console.Error.WriteLine($"Done in {seconds:0.0} s{(options.WithoutVerifying ? ", not read back" : "")}. {ready}");
    }
}
