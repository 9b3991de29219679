using System.Globalization;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// How often in a row a version was started without staying up: <c>HASH NUMBER</c>, written by the initrd's
/// <c>count-boot</c> and removed by <c>appliance-boot-kept.service</c>.
/// </summary>
internal sealed record BootRow(string RootHash, int Boots)
{
    /// <summary>The boot from which on a version counts as one that does not stay up.</summary>
    public const int Limit = 6;

    /// <summary>The file, below a root folder.</summary>
    public const string FilePath = "var/lib/appliance/boots";

    /// <summary>Reads the file below a root folder; null when it is missing or makes no sense.</summary>
    public static BootRow? TryRead(string root)
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, FilePath)).Split(' ') is [var hash, var text] && int.TryParse(text.TrimEnd('\n'), NumberStyles.None, CultureInfo.InvariantCulture, out var boots) ? new BootRow(hash, boots) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
