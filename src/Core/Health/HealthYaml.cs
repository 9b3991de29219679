using System.Globalization;
using System.Text;

namespace Appliance.Core.Health;

/// <summary>Writes health settings as the YAML that <see cref="HealthDeclarations"/> reads.</summary>
internal static class HealthYaml
{
    /// <summary>Every value written out, so that a later default changes nothing.</summary>
    public static string Write(HealthSettings settings)
    {
        var text = new StringBuilder("# Made by the builder from the health: part of the image definition.\n");
        text.Append(CultureInfo.InvariantCulture, $"timeout: {Seconds(settings.Timeout)}\nstabilisation: {Seconds(settings.Stabilisation)}\n");
        if (settings.Checks.Count == 0) return text.Append("checks: []\n").ToString();
        text.Append("checks:\n");
        foreach (var check in settings.Checks)
        {
            text.Append(CultureInfo.InvariantCulture, $"  - name: {Quote(check.Name)}\n    {Subject(check)}\n    timeout: {Seconds(check.Timeout)}\n    interval: {Seconds(check.Interval)}\n");
            text.Append(CultureInfo.InvariantCulture, $"    successes: {check.Successes}\n    failures: {check.Failures}\n    severity: {(check.Gate ? "gate" : "warn")}\n");
        }
        return text.ToString();
    }

    private static string Subject(HealthCheck check) => check switch
    {
        { Unit: { } unit } => $"unit: {Quote(unit)}",
        { Http: { } url } => $"http: {Quote(url)}",
        { Tcp: { } endpoint } => $"tcp: {Quote(endpoint)}",
        { Command: { } command } => $"command: [{string.Join(", ", command.Select(Quote))}]",
        { Disk: { } disk } => $"disk: {{ path: {Quote(disk.Path)}, free: {(disk.FreePercent is { } percent ? $"{percent}%" : $"{disk.FreeBytes}B")} }}",
        _ => $"{check.Kind.Word()}: true",
    };

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0}s");

    /// <summary>A double-quoted scalar (YAML 1.2.2, section 7.3.1), plain ASCII whatever the text.</summary>
    private static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value is '"' or '\\') quoted.Append('\\').Append((char)rune.Value);
            else if (rune.Value is >= ' ' and <= '~') quoted.Append((char)rune.Value);
            else quoted.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:X8}");
        }
        return quoted.Append('"').ToString();
    }
}
