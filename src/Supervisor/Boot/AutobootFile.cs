using System.Globalization;
using Appliance.Core;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// <c>autoboot.txt</c> on the first partition, by which the Raspberry Pi's firmware chooses the boot partition: one for every
/// boot, and one for the boot after a restart with <c>tryboot</c>.
/// </summary>
/// <param name="Kept">Partition that boots.</param>
/// <param name="Tried">Partition that boots once.</param>
internal sealed record AutobootFile(int Kept, int Tried)
{
    /// <summary>Its name.</summary>
    public const string Name = "autoboot.txt";

    private const string Setting = "boot_partition";

    /// <summary>Reads the file in a folder.</summary>
    /// <exception cref="UserError">There is none, or it does not name both partitions.</exception>
    public static AutobootFile Read(string folder)
    {
        var path = Path.Combine(folder, Name);
        if (!File.Exists(path)) throw new UserError($"{path} is missing.", "Write the image to the disk anew: this one has no two slots.");
        var (section, kept, tried) = ("all", 0, 0);
        foreach (var line in File.ReadLines(path).Select(line => line.Trim()))
        {
            if (line.StartsWith('[')) section = line.Trim('[', ']');
            else if (line.Split('=') is [Setting, var value] && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                (kept, tried) = section switch { "all" => (number, tried), "tryboot" => (kept, number), _ => (kept, tried) };
        }
        return kept > 0 && tried > 0 ? new AutobootFile(kept, tried) : throw new UserError($"{path} does not name a {Setting} in [all] and in [tryboot].", "Write the image to the disk anew: this one has no two slots.");
    }

    /// <summary>The file's text; with <c>tryboot_a_b</c> the firmware changes the partition and not the configuration's name.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"[all]\ntryboot_a_b=1\n{Setting}={Kept}\n[tryboot]\n{Setting}={Tried}\n");
}
