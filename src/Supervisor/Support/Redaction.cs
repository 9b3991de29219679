using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Appliance.Supervisor.Support;

/// <summary>Takes secrets out of texts before somebody else reads them: by the names they have, and by what they look like.</summary>
internal static partial class Redaction
{
    /// <summary>What stands in a secret's place.</summary>
    public const string Removed = "(removed)";

    private const string Names = "pass(?:word|phrase|wd)|secret|token|credential|psk|private[-_ ]?key|api[-_ ]?key|authorization|cookie|setup[-_ ]?code";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, TypeInfoResolver = Web.StatusJson.Default };

    /// <summary>A file's text without secrets; JSON by its members, all else line by line.</summary>
    public static string File(string name, string text)
    {
        if (name.EndsWith(".json", StringComparison.OrdinalIgnoreCase) && Parse(text) is { } json)
        {
            Clean(json);
            return json.ToJsonString(Indented);
        }
        var (lines, hidden) = (new List<string>(), (int?)null);
        foreach (var line in text.Split('\n'))
        {
            var depth = line.Length - line.TrimStart().Length;
            // The lines that belong to a name: a YAML block, or a list below it.
            if (hidden is { } above && (line.Trim().Length == 0 || depth > above || (depth == above && line.TrimStart().StartsWith("- ", StringComparison.Ordinal)))) continue;
            hidden = OpenSetting().IsMatch(line) ? depth : null;
            lines.Add(hidden is null ? Line(line) : $"{line.TrimEnd()} {Removed}");
        }
        return PemKey().Replace(string.Join('\n', lines), Removed);
    }

    /// <summary>A line without secrets.</summary>
    public static string Line(string line) => UserInfo().Replace(Setting().Replace(Bearer().Replace(line, $"$1 {Removed}"), $"$1{Removed}"), $"$1{Removed}@");

    private static JsonNode? Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static void Clean(JsonNode node)
    {
        foreach (var (name, value) in node is JsonObject bag ? bag.ToList() : [])
        {
            if (value is not null && SecretName().IsMatch(name)) node[name] = Removed;
            else if (value is JsonValue text && text.TryGetValue<string>(out var plain)) node[name] = Line(plain);
            else if (value is not null) Clean(value);
        }
        for (var i = 0; node is JsonArray list && i < list.Count; i++)
        {
            if (list[i] is JsonValue text && text.TryGetValue<string>(out var plain)) list[i] = Line(plain);
            else if (list[i] is { } item) Clean(item);
        }
    }

    [GeneratedRegex(Names, RegexOptions.IgnoreCase)]
    private static partial Regex SecretName();

    /// <summary>A name with nothing but a block's mark after it.</summary>
    [GeneratedRegex($$"""^[\s-]*["']?[\w.-]*(?:{{Names}})[\w.-]*["']?\s*:\s*(?:[|>][+-]?[0-9]?)?\s*$""", RegexOptions.IgnoreCase)]
    private static partial Regex OpenSetting();

    /// <summary><c>name: value</c>, <c>name=value</c> and <c>"name": "value"</c>, wherever in a line.</summary>
    [GeneratedRegex($"""(["']?\b[\w.-]*?({Names})[\w.-]*["']?\s*[:=]\s*)("(\\.|[^"\\])*"|'[^']*'|[^\s,;&"'{"{}"}\]]+)""", RegexOptions.IgnoreCase)]
    private static partial Regex Setting();

    [GeneratedRegex(@"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", RegexOptions.IgnoreCase)]
    private static partial Regex Bearer();

    /// <summary>RFC 3986, 3.2.1.</summary>
    [GeneratedRegex(@"([a-z][a-z0-9+.-]*://)[^\s/@]+@", RegexOptions.IgnoreCase)]
    private static partial Regex UserInfo();

    [GeneratedRegex("-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\\z)", RegexOptions.Singleline)]
    private static partial Regex PemKey();
}
