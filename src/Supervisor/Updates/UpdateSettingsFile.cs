using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Updates;

namespace Appliance.Supervisor.Updates;

/// <summary>Reads the image's update settings.</summary>
internal static class UpdateSettingsFile
{
    /// <summary>The settings below a root folder; without a file those of a device that is only pushed to.</summary>
    /// <exception cref="UserError">The file cannot be used.</exception>
    public static UpdateSettings Read(string root)
    {
        var path = Path.Combine(root, UpdateSettings.SettingsPath.TrimStart('/'));
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), UpdateSettingsJson.Default.UpdateSettings) ?? new() : new();
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{path} cannot be used: {e.Message}", "It is made by the builder from updates: in the image's definition; build the image again.", e);
        }
    }
}
