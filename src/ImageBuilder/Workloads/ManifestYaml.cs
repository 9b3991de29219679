using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Appliance.Core;
using Appliance.Core.Workloads;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>
/// Reads Kubernetes manifests: YAML documents as JSON, by the rules of Kubernetes' own reader (YAML 1.1 as in sigs.k8s.io/yaml).
/// What YAML 1.1 and 1.2 read differently is refused, for it is hardly ever what was meant: <c>no</c>, <c>1e3</c>, <c>1_000</c>.
/// </summary>
internal sealed partial class ManifestYaml
{
    /// <summary>Values that aliases may expand to; a manifest of this size is none.</summary>
    private const int MostValues = 200_000;

    private static readonly string[] Ambiguous = ["y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"];
    private readonly string _path;
    private int _values;

    private ManifestYaml(string path) => _path = path;

    /// <summary>Every document of a text; empty ones are left out.</summary>
    /// <param name="path">Name of the file, for errors.</param>
    /// <param name="text">Its content.</param>
    /// <exception cref="UserError">It is not such YAML; the message says where.</exception>
    public static IReadOnlyList<(JsonObject Value, int Line)> Read(string path, string text)
    {
        var reader = new ManifestYaml(path);
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new UserError($"{path}:{e.Start.Line}:{e.Start.Column}: this is not valid YAML: {e.InnerException?.Message ?? e.Message}", text.Contains("{{", StringComparison.Ordinal) ? "Templates are rendered before: use the output of `helm template`." : null, e);
        }
        // The scanner gives up on some malformed texts with one of these.
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            throw new UserError($"{path}: this is not valid YAML: {e.Message}", null, e);
        }
        var documents = new List<(JsonObject, int)>();
        foreach (var document in stream.Documents)
        {
            if (document.RootNode is YamlScalarNode { Value: null or "" or "null" or "~", Style: ScalarStyle.Plain or ScalarStyle.Any }) continue;
            documents.Add(reader.Convert(document.RootNode, "", 1) is JsonObject value ? (value, (int)document.RootNode.Start.Line) : throw reader.Error(document.RootNode, "", "a Kubernetes object is a mapping"));
        }
        return documents;
    }

    private JsonNode? Convert(YamlNode node, string at, int depth)
    {
        if (node is not YamlMappingNode) Count(node, at, depth);
        return node switch
        {
            YamlScalarNode scalar => Scalar(scalar, at),
            YamlSequenceNode list => new JsonArray([.. list.Select((item, index) => Convert(item, $"{at}[{index}]", depth + 1))]),
            YamlMappingNode mapping => Mapping(mapping, at, depth),
            _ => throw Error(node, at, "this kind of YAML node is not supported"),
        };
    }

    /// <summary>Aliases write a large or endless document in a few lines.</summary>
    private void Count(YamlNode node, string at, int depth)
    {
        if (++_values > MostValues) throw Error(node, at, $"the file has more than {MostValues} values, aliases written out");
        // A release puts its objects two levels deep.
        if (depth > WorkloadReleaseReader.DeepestNesting - 2) throw Error(node, at, "nested too deep");
    }

    private JsonObject Mapping(YamlMappingNode mapping, string at, int depth)
    {
        Count(mapping, at, depth);
        var json = new JsonObject();
        var merged = new List<YamlMappingNode>();
        foreach (var (key, value) in mapping.Children)
        {
            if (key is YamlScalarNode { Value: "<<", Style: ScalarStyle.Plain }) merged.AddRange(Merged(value, at));
            else if (!json.TryAdd(Key(key, at), Convert(value, Below(at, Key(key, at)), depth + 1))) throw Error(key, at, "the key stands here twice");
        }
        foreach (var other in merged)
            foreach (var (name, value) in Mapping(other, at, depth + 1).ToList())
                json.TryAdd(name, value?.DeepClone());
        return json;
    }

    private IEnumerable<YamlMappingNode> Merged(YamlNode value, string at) => value switch
    {
        YamlMappingNode mapping => [mapping],
        YamlSequenceNode list when list.All(item => item is YamlMappingNode) => list.Cast<YamlMappingNode>(),
        _ => throw Error(value, at, "<< takes a mapping or a list of them"),
    };

    private string Key(YamlNode key, string at)
    {
        if (key is not YamlScalarNode { Value: { } text } scalar) throw Error(key, at, key is YamlMappingNode ? "a key is a text; of a template, use what `helm template` prints" : "a key is a text");
        if (scalar.Style is ScalarStyle.Plain or ScalarStyle.Any && Ambiguous.Contains(text)) throw Error(key, at, $"the key {text} is true or false to some readers; write \"{text}\"");
        return text;
    }

    private JsonValue? Scalar(YamlScalarNode scalar, string at)
    {
        var text = scalar.Value ?? "";
        if (!scalar.Tag.IsEmpty && !scalar.Tag.IsNonSpecific)
            return scalar.Tag.Value == "tag:yaml.org,2002:str" ? JsonValue.Create(text) : throw Error(scalar, at, $"the tag {scalar.Tag.Value} is not supported");
        if (scalar.Style is not (ScalarStyle.Plain or ScalarStyle.Any)) return JsonValue.Create(text);
        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL": return null;
            case "true" or "True" or "TRUE": return JsonValue.Create(true);
            case "false" or "False" or "FALSE": return JsonValue.Create(false);
        }
        if (Ambiguous.Contains(text)) throw Error(scalar, at, $"{text} is true or false to some readers and a text to others; write true, false or \"{text}\"");
        return Number(scalar, text, at);
    }

    private JsonValue Number(YamlScalarNode scalar, string text, string at)
    {
        if (Integer().IsMatch(text))
            return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? JsonValue.Create(number) : throw Error(scalar, at, $"{text} is too large a number; write \"{text}\" if it is a text");
        if (Octal().Match(text) is { Success: true } octal) return JsonValue.Create(System.Convert.ToInt64(octal.Groups[1].Value, 8)); // a file's mode, 0644
        if (Decimal().IsMatch(text)) return JsonValue.Create(double.Parse(text, CultureInfo.InvariantCulture));
        if (LooksLikeNumber().IsMatch(text)) throw Error(scalar, at, $"{text} is a number to some readers and a text to others; write it in plain decimals, or \"{text}\"");
        return JsonValue.Create(text);
    }

    private UserError Error(YamlNode node, string at, string problem) => new($"{_path}:{node.Start.Line}:{node.Start.Column}: {(at.Length == 0 ? "" : at + ": ")}{problem}");

    private static string Below(string at, string key) => at.Length == 0 ? key : $"{at}.{key}";

    [GeneratedRegex(@"^[-+]?(0|[1-9][0-9]*)\z", RegexOptions.CultureInvariant)]
    private static partial Regex Integer();

    [GeneratedRegex(@"^0o?([0-7]{1,20})\z", RegexOptions.CultureInvariant)]
    private static partial Regex Octal();

    [GeneratedRegex(@"^[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+][0-9]{1,3})?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Decimal();

    /// <summary>Numbers of YAML 1.1 or 1.2 that are not the above, among them infinity and not-a-number, which JSON has not.</summary>
    [GeneratedRegex(@"^([-+]?(0[0-9_]+|[0-9][0-9_]*_[0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+|0o[0-9_]+|\.[0-9]+([eE][-+]?[0-9]+)?|[0-9][0-9_]*\.?([eE][-+]?[0-9]+)?|[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN))\z", RegexOptions.CultureInvariant)]
    private static partial Regex LooksLikeNumber();
}
