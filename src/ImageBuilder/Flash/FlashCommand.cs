using System.CommandLine;
using Appliance.Core;

namespace Appliance.ImageBuilder.Flash;

/// <summary>The verb <c>appliance flash</c>.</summary>
internal static class FlashCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var image = new Argument<string>("image") { Description = "A .img, .img.zst or .img.xz, or its https address. The .bmap beside it is used when there." };
        var device = new Argument<string?>("device") { Description = "The whole disk, e.g. /dev/sdX, or a file. Without it, the disks that can be taken out are listed.", Arity = ArgumentArity.ZeroOrOne };
        var map = new Option<string?>("--bmap") { Description = "The block map, where it is not beside the image.", HelpName = "FILE|URL" };
        var noMap = new Option<bool>("--no-bmap") { Description = "Write every block." };
        var sha256 = new Option<string?>("--sha256") { Description = "Refuse an image file with another SHA-256 (build.json has it).", HelpName = "HEX" };
        var yes = new Option<bool>("--yes") { Description = "Do not ask." };
        var force = new Option<string?>("--force") { Description = "Overwrite this disk although it is built in, mounted or the running system's; the same name as DEVICE's.", HelpName = "NAME" };
        var provision = new Option<string?>("--provision") { Description = "What this device is told at its first start: host name, network, keys, fleet (docs/provisioning.md).", HelpName = "FILE" };
        var all = new Option<bool>("--all") { Description = "List built-in disks, too." };
        var noVerify = new Option<bool>("--no-verify") { Description = "Do not read back what was written." };
        var noEject = new Option<bool>("--no-eject") { Description = "Leave the medium in." };
        var json = new Option<bool>("--json") { Description = "One JSON event per line on standard output." };
        var command = new Command("flash", """
            Writes an image to a disk or card, reads every block back, and ejects it.

            Examples:
              appliance flash out/appliance_1.0.0_amd64/disk.img.zst
              appliance flash https://example.com/disk.img.zst /dev/sdX
              appliance flash disk.img.xz /dev/mmcblk0 --yes --sha256 0123…
              appliance flash disk.img.zst /dev/sdX --provision edge-7.yaml
            """)
        { image, device, map, noMap, sha256, yes, force, provision, all, noVerify, noEject, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var options = new FlashOptions
            {
                Image = result.GetValue(image)!,
                Device = result.GetValue(device),
                Map = result.GetValue(map),
                WithoutMap = result.GetValue(noMap),
                Sha256 = result.GetValue(sha256)?.Trim().ToLowerInvariant(),
                Force = result.GetValue(force),
                Provision = result.GetValue(provision),
                Yes = result.GetValue(yes),
                All = result.GetValue(all),
                WithoutVerifying = result.GetValue(noVerify),
                WithoutEjecting = result.GetValue(noEject),
                Json = result.GetValue(json),
            };
            if (options.Sha256 is { } hash && (hash.Length != 64 || !hash.All(char.IsAsciiHexDigit))) throw new UserError($"{hash} is no SHA-256.", "It has 64 hexadecimal digits.");
            if (options.Map is not null && options.WithoutMap) throw new UserError("--bmap and --no-bmap contradict each other.", "Leave one of them out.");
            await new Flashing(options).RunAsync(cancellationToken);
            return 0;
        });
        return command;
    }
}
