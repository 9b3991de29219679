using System.Globalization;
using System.Text.Json.Serialization;
using Appliance.Core;

namespace Appliance.Supervisor.Fleet;

/// <summary>What a device has to do (DDI, the controller's root).</summary>
internal sealed record DdiTasks(DdiConfig? Config, [property: JsonPropertyName("_links")] Dictionary<string, DdiLink?>? Links)
{
    /// <summary>How long the server wants to be left alone, or null when it does not say.</summary>
    public TimeSpan? Sleep => TimeSpan.TryParseExact(Config?.Polling?.Sleep, @"hh\:mm\:ss", CultureInfo.InvariantCulture, out var sleep) && sleep > TimeSpan.Zero ? sleep : null;

    /// <summary>True when the server wants to know the device's attributes.</summary>
    public bool WantsAttributes => Links?.ContainsKey("configData") == true;

    /// <summary>The action under a link, as its path says; null without one.</summary>
    public string? ActionOf(string link)
    {
        if (Links?.GetValueOrDefault(link)?.Href is not { } href) return null;
        var id = href.Split('?')[0].TrimEnd('/').Split('/')[^1];
        return id.Length is > 0 and <= 40 && id.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '-') ? id : null;
    }
}

/// <summary>How to ask.</summary>
internal sealed record DdiConfig(DdiPolling? Polling);

/// <summary>How often to ask.</summary>
/// <param name="Sleep">The pause, HH:MM:SS.</param>
internal sealed record DdiPolling(string? Sleep);

/// <summary>A link of HAL.</summary>
internal sealed record DdiLink(string? Href);

/// <summary>A deployment, or one that waits for a confirmation.</summary>
internal sealed record DdiAction(string? Id, DdiDeployment? Deployment, DdiDeployment? Confirmation);

/// <summary>What is to be installed, and how.</summary>
internal sealed record DdiDeployment(string? Download, string? Update, string? MaintenanceWindow, IReadOnlyList<DdiChunk?>? Chunks);

/// <summary>A part of a deployment.</summary>
internal sealed record DdiChunk(string? Part, string? Name, string? Version, IReadOnlyList<DdiArtifact?>? Artifacts, IReadOnlyList<DdiMetadata?>? Metadata)
{
    /// <summary>Most characters of its name, and of its version.</summary>
    public const int LongestName = 256;

    /// <summary>What it is called, as it may be shown; null when that is missing or too long.</summary>
    public (string Name, string Version)? Title => this is { Name: { Length: > 0 and <= LongestName } name, Version: { Length: > 0 and <= LongestName } version } ? (PlainText.Clean(name), PlainText.Clean(version)) : null;

    /// <summary>A word that the server says of it, or null.</summary>
    public string? Word(string key) => Metadata?.FirstOrDefault(word => word?.Key == key)?.Value;
}

/// <summary>A file of a part.</summary>
internal sealed record DdiArtifact(string? Filename, [property: JsonPropertyName("_links")] Dictionary<string, DdiLink?>? Links)
{
    /// <summary>Where it is: by TLS where there is a choice.</summary>
    public string? Href => Links?.GetValueOrDefault("download")?.Href ?? Links?.GetValueOrDefault("download-http")?.Href;
}

/// <summary>A word about a part.</summary>
internal sealed record DdiMetadata(string? Key, string? Value);

/// <summary>The wish that an action be stopped.</summary>
internal sealed record DdiCancel(DdiStop? CancelAction);

/// <summary>Which action.</summary>
internal sealed record DdiStop(string? StopId);

/// <summary>How it goes with an action.</summary>
/// <param name="Id">The action; older servers want it.</param>
/// <param name="Timestamp">When, in ms since 1970.</param>
/// <param name="Status">How it goes.</param>
internal sealed record DdiFeedback(string Id, long Timestamp, DdiStatus Status);

/// <summary>How it goes.</summary>
internal sealed record DdiStatus(string Execution, DdiResult Result, IReadOnlyList<string> Details);

/// <summary>How it went.</summary>
internal sealed record DdiResult(string Finished);

/// <summary>What somebody at the device says to an assignment.</summary>
internal sealed record DdiConfirmation(string Confirmation, IReadOnlyList<string> Details);

/// <summary>What the device says of itself.</summary>
internal sealed record DdiAttributes(string Mode, IReadOnlyDictionary<string, string> Data);

/// <summary>Asks to be let in (our server's own).</summary>
internal sealed record EnrolmentRequest(string Token, string Id);

/// <summary>The device is let in.</summary>
internal sealed record EnrolmentAnswer(string? Id, string? Token);

/// <summary>A problem document (RFC 9457).</summary>
internal sealed record ServerProblem(string? Title, string? Detail);

/// <summary>The JSON form of what is said to and by the server.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DdiTasks))]
[JsonSerializable(typeof(DdiAction))]
[JsonSerializable(typeof(DdiCancel))]
[JsonSerializable(typeof(DdiFeedback))]
[JsonSerializable(typeof(DdiConfirmation))]
[JsonSerializable(typeof(DdiAttributes))]
[JsonSerializable(typeof(EnrolmentRequest))]
[JsonSerializable(typeof(EnrolmentAnswer))]
[JsonSerializable(typeof(ServerProblem))]
[JsonSerializable(typeof(FleetReport))]
internal sealed partial class DdiJson : JsonSerializerContext;
