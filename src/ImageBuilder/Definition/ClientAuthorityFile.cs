using System.Text;
using Appliance.Core;
using Appliance.Core.Access;

namespace Appliance.ImageBuilder.Definition;

/// <summary>Reads the authority whose certificates log in to a device.</summary>
internal static class ClientAuthorityFile
{
    /// <summary>The file's text; it is what a device can use.</summary>
    /// <param name="path">The file.</param>
    /// <param name="error">Makes an error at the place that names the file.</param>
    public static string Read(string path, Func<string, UserError> error)
    {
        var text = Encoding.UTF8.GetString(NamedFile.Read(path, ClientAuthority.LargestFile, "the certificates of an authority", error));
        try
        {
            _ = ClientAuthority.Parse(text);
            return text;
        }
        catch (InvalidDataException e)
        {
            throw error($"{path} cannot be the client authority: {e.Message}");
        }
    }
}
