using System.Text;
using Appliance.Core;

namespace Appliance.ImageBuilder.Definition;

/// <summary>Reads certificates that a device trusts.</summary>
internal static class CertificateFile
{
    private const int LargestFile = 256 << 10;

    /// <summary>The file's text; it is what a device can use.</summary>
    /// <param name="path">The file.</param>
    /// <param name="purpose">What they are to be, for errors.</param>
    /// <param name="parse">Reads them as the device does.</param>
    /// <param name="error">Makes an error at the place that names the file.</param>
    public static string Read(string path, string purpose, Action<string> parse, Func<string, UserError> error)
    {
        var text = Encoding.UTF8.GetString(NamedFile.Read(path, LargestFile, "certificates in PEM form", error));
        try
        {
            parse(text);
            return text;
        }
        catch (InvalidDataException e)
        {
            throw error($"{path} cannot be {purpose}: {e.Message}");
        }
    }
}
