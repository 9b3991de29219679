using System.Text.Json;
using Appliance.Core.Health;

namespace Appliance.Supervisor.Health;

/// <summary>Reads the image's health settings.</summary>
internal static class HealthFile
{
    /// <summary>The settings, and what is wrong with the file when it cannot be used; a missing file means the defaults.</summary>
    public static (HealthSettings Settings, string? Problem) Read(string path)
    {
        try
        {
            if (!File.Exists(path)) return (new HealthSettings(), null);
            return (JsonSerializer.Deserialize(File.ReadAllBytes(path), HealthJson.Default.HealthSettings) ?? new HealthSettings(), null);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return (new HealthSettings(), $"{path} cannot be used: {e.Message}");
        }
    }
}
