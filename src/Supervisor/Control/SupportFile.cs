using Appliance.Core;

namespace Appliance.Supervisor.Control;

/// <summary>A support bundle as a file: whole, or not there.</summary>
internal static class SupportFile
{
    /// <summary>Has one written to a path.</summary>
    /// <exception cref="UserError">It cannot be written there, or the supervisor refused.</exception>
    public static async Task WriteAsync(ISupervisor supervisor, string path)
    {
        var full = Path.GetFullPath(path);
        var temporary = $"{full}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write)) await supervisor.WriteSupportBundleAsync(file);
            File.Move(temporary, full, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{path} cannot be written: {e.Message}", "Name a file in a folder that can be written, for instance below /tmp, or - for standard output.", e);
        }
        finally
        {
            if (File.Exists(temporary)) File.Delete(temporary);
        }
    }
}
