using System.Globalization;

namespace Appliance.Supervisor.Device;

/// <summary>The tries of a counted boot, from the EFI variable <c>LoaderBootCountPath</c>: <c>\EFI\Linux\id_1.0+2-1.efi</c>.</summary>
internal sealed record BootCount(int Left, int Done)
{
    /// <summary>Reads the variable below a root folder; null when this boot is not counted or the variable makes no sense.</summary>
    public static BootCount? Read(string root) => EfiVariable.TryReadText(root, EfiVariable.BootCountPath) is { Length: > 0 } path ? Parse(path) : null;

    /// <summary>Takes the counter off an entry's path: <c>+LEFT[-DONE]</c> before the file's ending.</summary>
    public static BootCount? Parse(string path)
    {
        var dot = path.LastIndexOf('.');
        var plus = path.LastIndexOf('+');
        if (plus < 0 || dot < plus) return null;
        var parts = path[(plus + 1)..dot].Split('-');
        if (parts.Length > 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var left)) return null;
        var done = 0;
        return parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out done) ? null : new BootCount(left, done);
    }
}
