using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Appliance.Core;
using Appliance.Core.Access;
using Appliance.Core.Credentials;
using Appliance.Core.Fleet;
using Appliance.Core.Images;
using Appliance.Core.Telemetry;
using Appliance.Core.Updates;
using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Device;

/// <summary>Reads settings that the builder put into the image.</summary>
internal static class ImageSettings
{
    /// <summary>Where updates come from; without a file, a device that is only pushed to.</summary>
    /// <exception cref="UserError">The file cannot be used.</exception>
    public static UpdateSettings ReadUpdates(string root) => Read(root, UpdateSettings.SettingsPath, ImageSettingsJson.Default.UpdateSettings, "updates");

    /// <summary>Where the device reports to; without a file, nowhere.</summary>
    /// <exception cref="UserError">The file cannot be used.</exception>
    public static TelemetrySettings ReadTelemetry(string root) => Read(root, TelemetrySettings.SettingsPath, ImageSettingsJson.Default.TelemetrySettings, "telemetry");

    /// <summary>The update server that the device belongs to; without a file, none.</summary>
    /// <exception cref="UserError">The file cannot be used.</exception>
    public static FleetSettings ReadFleet(string root) => Read(root, FleetSettings.SettingsPath, ImageSettingsJson.Default.FleetSettings, "fleet");

    /// <summary>Credentials that the supervisor looks after beside its own; without a file, none.</summary>
    /// <exception cref="UserError">The file cannot be used.</exception>
    public static CredentialSettings ReadCredentials(string root) => Read(root, CredentialSettings.SettingsPath, ImageSettingsJson.Default.CredentialSettings, "credentials");

    /// <summary>Where the status page listens; without a file, at every address.</summary>
    /// <exception cref="UserError">The file cannot be used.</exception>
    public static AccessSettings ReadAccess(string root) => Read(root, AccessSettings.SettingsPath, ImageSettingsJson.Default.AccessSettings, "access");

    /// <summary>Which container images may run; without a file, those of any release.</summary>
    /// <exception cref="UserError">The file cannot be used.</exception>
    public static SignaturePolicy ReadSignatures(string root) => Read(root, SignaturePolicy.SettingsPath, ImageSettingsJson.Default.SignaturePolicy, "workloads.signatures");

    private static T Read<T>(string root, string path, JsonTypeInfo<T> type, string section) where T : class, new()
    {
        var full = Path.Combine(root, path.TrimStart('/'));
        try
        {
            return File.Exists(full) ? JsonSerializer.Deserialize(File.ReadAllBytes(full), type) ?? new() : new();
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{full} cannot be used: {e.Message}", $"It is made by the builder from {section}: in the image's definition; build the image again.", e);
        }
    }
}
