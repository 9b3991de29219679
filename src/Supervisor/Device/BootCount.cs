using System.Globalization;
using System.Text;

namespace Appliance.Supervisor.Device;

/// <summary>The tries of a counted boot, from the EFI variable <c>LoaderBootCountPath</c>: <c>\EFI\Linux\id_1.0+2-1.efi</c>.</summary>
internal sealed record BootCount(int Left, int Done)
{
    private const string VariablePath = "sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
    private const int AttributeBytes = 4;

    /// <summary>Reads the variable below a root folder; null when this boot is not counted or the variable makes no sense.</summary>
    public static BootCount? Read(string root)
    {
        try
        {
            var bytes = File.ReadAllBytes(Path.Combine(root, VariablePath));
            return bytes.Length <= AttributeBytes ? null : Parse(Encoding.Unicode.GetString(bytes.AsSpan(AttributeBytes)).TrimEnd('\0'));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

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
