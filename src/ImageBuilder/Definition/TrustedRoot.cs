using System.Text;
using Appliance.Core;
using Appliance.Core.Tuf;

namespace Appliance.ImageBuilder.Definition;

/// <summary>Reads the TUF root that is baked into an image (TUF 1.0, section 5.2: it reaches the device by other means).</summary>
internal static class TrustedRoot
{
    /// <summary>The file's text, byte for byte; it is a root that its own keys have signed. Whether it has expired is for the device.</summary>
    /// <param name="path">The file.</param>
    /// <param name="error">Makes an error at the place that names the file.</param>
    public static string Read(string path, Func<string, UserError> error)
    {
        var bytes = NamedFile.Read(path, TufLimits.Root, "a TUF root", error);
        try
        {
            _ = new TrustedMetadata(bytes, path, time: null);
            return Encoding.UTF8.GetString(bytes);
        }
        catch (UserError e) when (e.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw error($"{e.Message.TrimEnd('.')}; expected a TUF root: the root.json that `appliance keys init` made, or of the repository's metadata folder");
        }
    }
}
