using System.Globalization;
using System.Text.Json.Nodes;

namespace Appliance.Core.Yaml;

/// <summary>Shapes that several kinds of file have in common.</summary>
internal static class CommonShapes
{
    public static readonly Shape Unit = new TextShape("a systemd unit such as ssh.service", @"[A-Za-z0-9:_.@\\-]+\.(service|socket|timer|target|path|mount|automount|slice|swap)", longest: 255);

    /// <summary>A time between two limits, in seconds, minutes or hours.</summary>
    public static Shape Duration(TimeSpan shortest, TimeSpan longest) => new ValueShape(
        $"a time of {shortest.TotalSeconds:0}s to {longest.TotalSeconds:0}s such as 10s, 5min or 1h",
        text => ParseDuration(text) is { } time && time >= shortest && time <= longest ? time : null,
        () => new JsonObject { ["type"] = "string", ["pattern"] = "^[0-9]+(s|min|h)$" });

    /// <summary>A whole number between two limits.</summary>
    public static Shape Number(int least, int most) => new ValueShape(
        $"a number of {least} to {most}",
        text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number : null,
        () => new JsonObject { ["type"] = "integer", ["minimum"] = least, ["maximum"] = most });

    private static TimeSpan? ParseDuration(string text)
    {
        var digits = text.TakeWhile(char.IsAsciiDigit).Count();
        if (digits is 0 or > 6 || !int.TryParse(text.AsSpan(0, digits), CultureInfo.InvariantCulture, out var number)) return null;
        return text[digits..] switch
        {
            "s" => TimeSpan.FromSeconds(number),
            "min" => TimeSpan.FromMinutes(number),
            "h" => TimeSpan.FromHours(number),
            _ => null,
        };
    }
}
