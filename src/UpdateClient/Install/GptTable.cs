using System.Globalization;
using System.Text.Json;
using Appliance.Core;

namespace Appliance.UpdateClient.Install;

/// <summary>
/// The partition table of a disk or a disk image, read from the disk: the kernel's view keeps the labels and UUIDs that were
/// there at boot, and updates change them.
/// </summary>
/// <param name="Disk">The whole disk.</param>
/// <param name="Partitions">In the order of the table.</param>
public sealed record GptTable(string Disk, IReadOnlyList<GptPartition> Partitions)
{
    /// <summary>Type of the EFI system partition.</summary>
    public static Guid EspType { get; } = new("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");

    /// <summary>Reads the table with sfdisk.</summary>
    /// <exception cref="UserError">The disk cannot be read or has no GPT.</exception>
    public static async Task<GptTable> ReadAsync(string disk, CancellationToken cancellationToken)
    {
        var (code, output, errors) = await Sfdisk.RunAsync(["--json", disk], cancellationToken);
        if (code != 0) throw new UserError($"The partition table of {disk} cannot be read: {errors}", "Check that it is the disk the image was written to.");
        try
        {
            using var json = JsonDocument.Parse(output);
            var table = json.RootElement.GetProperty("partitiontable");
            if (table.GetProperty("label").GetString() != "gpt") throw new UserError($"{disk} has no GUID partition table.", "Check that it is the disk the image was written to.");
            var sector = table.TryGetProperty("sectorsize", out var size) ? size.GetInt64() : 512;
            return new GptTable(disk, [.. table.GetProperty("partitions").EnumerateArray().Select(part => Read(part, sector))]);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            throw new InvalidDataException($"sfdisk's answer for {disk} makes no sense: {e.Message}", e);
        }
    }

    private static GptPartition Read(JsonElement part, long sector)
    {
        var node = part.GetProperty("node").GetString()!;
        var digits = node.Length;
        while (digits > 0 && char.IsAsciiDigit(node[digits - 1])) digits--;
        return new GptPartition(
            int.Parse(node[digits..], NumberStyles.None, CultureInfo.InvariantCulture),
            node,
            part.GetProperty("start").GetInt64() * sector,
            part.GetProperty("size").GetInt64() * sector,
            part.GetProperty("type").GetGuid(),
            part.GetProperty("uuid").GetGuid(),
            part.TryGetProperty("name", out var name) ? name.GetString()! : "");
    }

    /// <summary>The partition with this number.</summary>
    /// <exception cref="UserError">There is none.</exception>
    public GptPartition this[int number] =>
        Partitions.FirstOrDefault(part => part.Number == number) ?? throw new UserError($"{Disk} has no partition {number}.", "Check that it is the disk the image was written to.");
}
