using Appliance.Core;

namespace Appliance.ImageBuilder.Definition;

/// <summary>A small file that a definition names.</summary>
internal static class NamedFile
{
    /// <summary>Its bytes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="most">Most bytes that it may have.</param>
    /// <param name="what">What it should be, for the error about a larger one.</param>
    /// <param name="error">Makes an error at the place that names the file.</param>
    public static byte[] Read(string path, long most, string what, Func<string, UserError> error)
    {
        try
        {
            return new FileInfo(path).Length <= most ? File.ReadAllBytes(path) : throw error($"{path} is larger than {ByteSize.Format(most)}, too large for {what}");
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw error($"{path} cannot be read: {e.Message}");
        }
    }
}
