namespace Appliance.Core.Telemetry;

/// <summary>Where a device reports to: the content of <c>/usr/lib/appliance/telemetry.json</c> in its image.</summary>
/// <remarks>Set, not init: the source-generated reader would give init members that a file lacks no default.</remarks>
public sealed record TelemetrySettings
{
    /// <summary>Path of these settings in the image.</summary>
    public const string SettingsPath = "/usr/lib/appliance/telemetry.json";

    /// <summary>Base address of an OTLP/HTTP collector (http or https), or null for a device that reports to nobody.</summary>
    public string? Otlp { get; set; }

    /// <summary>Pause between two reports of metrics.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Most bytes that wait on the disk while the collector cannot be reached; beyond that the oldest go.</summary>
    public long Spool { get; set; } = 32 << 20;

    /// <summary>Which lines of the journal are forwarded; the first rule that a line falls under decides, and without one it is not.</summary>
    public IReadOnlyList<LogRule> Logs { get; set; } = [new()];
}
