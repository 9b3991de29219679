using System.Globalization;
using System.Text.Json;

namespace Appliance.UpdateServer.Pages;

/// <summary>How the pages write things.</summary>
internal static class Words
{
    /// <summary>A state, as people read it: <c>waiting for approval</c>.</summary>
    public static string Word<T>(T state) where T : struct, Enum => JsonNamingPolicy.KebabCaseLower.ConvertName(state.ToString()).Replace('-', ' ');

    /// <summary>The class by which a page colours a state, or nothing.</summary>
    public static string Colour<T>(T state) where T : struct, Enum => state.ToString() switch
    {
        "Finished" or "Healthy" => "good",
        "Failed" or "Unhealthy" or "Paused" => "bad",
        "Canceled" or "Unknown" or "Waiting" or "Ready" or "Decommissioned" => "quiet",
        _ => "wait",
    };

    /// <summary>A moment, in UTC.</summary>
    public static string Moment(DateTimeOffset? at) => at is { } moment ? moment.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) : "never";

    /// <summary>The address of a list of devices.</summary>
    public static string DevicesWith(string filter) => $"/devices?filter={Uri.EscapeDataString(filter)}";
}
