using Appliance.Core;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Control;

/// <summary>A support bundle as a file: whole, or not there.</summary>
internal static class SupportFile
{
    /// <summary>Has one written to a path.</summary>
    /// <exception cref="UserError">It cannot be written there, or the supervisor refused.</exception>
    public static async Task WriteAsync(SupervisorClient client, string path)
    {
        var full = Path.GetFullPath(path);
        var temporary = $"{full}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write)) await FillAsync(client, file);
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

    /// <summary>Has one written to an open file.</summary>
    public static Task FillAsync(SupervisorClient client, SafeFileHandle to) => client.CallAsync("SupportBundle", "h", to);
}
