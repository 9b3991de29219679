using System.CommandLine;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.BlockMaps;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Flash;

/// <summary>The verb <c>appliance flash</c>.</summary>
internal static class FlashCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var image = new Argument<string>("image") { Description = "disk.img or disk.img.zst; the .bmap beside it is used when there." };
        var device = new Argument<string>("device") { Description = "The whole disk, e.g. /dev/sdX, or a file." };
        var yes = new Option<bool>("--yes") { Description = "Do not ask." };
        var json = new Option<bool>("--json") { Description = "One JSON event per line on standard output." };
        var command = new Command("flash", """
            Writes an image to a disk or card, checks every block, and puts the backup partition table to the disk's end.

            Examples:
              appliance flash out/appliance_1.0.0_amd64/disk.img.zst /dev/sdX
              appliance flash disk.img /dev/mmcblk0 --yes
            """)
        { image, device, yes, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            await RunAsync(result.GetValue(image)!, result.GetValue(device)!, result.GetValue(yes), result.GetValue(json), cancellationToken);
            return 0;
        });
        return command;
    }

    private static async Task RunAsync(string imagePath, string device, bool yes, bool json, CancellationToken cancellationToken)
    {
        if (!File.Exists(imagePath)) throw new UserError($"There is no image {imagePath}.", "Name the disk.img or disk.img.zst that a build made.");
        var target = FlashTarget.Inspect(device);
        var map = FindMap(imagePath);
        var size = map?.ImageSize ?? (imagePath.EndsWith(".zst", StringComparison.Ordinal) ? 0 : new FileInfo(imagePath).Length);
        if (target.Size is { } available && size > available)
            throw new UserError($"{device} ({ByteSize.Format(available)}) is too small for the image ({ByteSize.Format(size)}).", "Use a larger disk, or make the image smaller (sizes in the definition).");
        if (target.IsDisk && !yes) Confirm(target);

        var report = new FlashProgress(json);
        await using var source = OpenImage(imagePath);
        using var handle = OpenTarget(target);
        try
        {
            var writer = new ImageWriter(source, map, handle, report.Show);
            var written = await writer.WriteAsync(cancellationToken);
            if (map is not null) await writer.VerifyAsync(map, cancellationToken);
            if (target.Size is { } diskSize && diskSize > written) GptRelocation.Apply(handle, diskSize);
            else if (!target.IsDisk) RandomAccess.SetLength(handle, written);
            RandomAccess.FlushToDisk(handle);
            report.Done(device, written);
        }
        catch (OperationCanceledException)
        {
            report.Interrupted(device);
            throw;
        }
    }

    private static BlockMap? FindMap(string imagePath)
    {
        var path = (imagePath.EndsWith(".zst", StringComparison.Ordinal) ? imagePath[..^4] : imagePath) + ".bmap";
        if (File.Exists(path)) return BlockMap.Read(path);
        Console.Error.WriteLine($"There is no {path}: the whole image is written, and not verified.");
        return null;
    }

    private static Stream OpenImage(string path) =>
        path.EndsWith(".zst", StringComparison.Ordinal) ? new ZstdSharp.DecompressionStream(File.OpenRead(path), leaveOpen: false) : File.OpenRead(path);

    private static Microsoft.Win32.SafeHandles.SafeFileHandle OpenTarget(FlashTarget target)
    {
        try
        {
            return File.OpenHandle(target.Path, target.IsDisk ? FileMode.Open : FileMode.Create, FileAccess.ReadWrite, FileShare.None, FileOptions.Asynchronous);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new UserError($"{target.Path} cannot be written: {e.Message}", target.IsDisk && !Environment.IsPrivilegedProcess ? "Run it with sudo." : null, e);
        }
    }

    private static void Confirm(FlashTarget target)
    {
        if (Console.IsInputRedirected) throw new UserError($"Everything on {target.Path} ({target.Description}) would be lost.", "Add --yes when that is meant.");
        Console.Error.Write($"Everything on {target.Path} ({target.Description}) will be lost. Type yes to go on: ");
        if (Console.ReadLine()?.Trim() != "yes") throw new UserError("Nothing was written.");
    }

    /// <summary>What flashing tells beside how far it is.</summary>
    private sealed class FlashProgress(bool json)
    {
        private readonly TransferProgress _transfer = new(json);

        public void Show(string phase, long done, long total) => _transfer.Show(phase, done, total);

        public void Done(string device, long bytes)
        {
            if (json) Console.WriteLine(new JsonObject { ["event"] = "done", ["device"] = device, ["bytes"] = bytes }.ToJsonString());
            else Console.Error.WriteLine($"\nDone in {_transfer.Elapsed.TotalSeconds:0.0} s. {device} can be put into the machine.");
        }

        public void Interrupted(string device)
        {
            if (!json) Console.Error.WriteLine($"\n{device} holds an incomplete image and does not boot; flash it again.");
        }
    }
}
