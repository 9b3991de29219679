using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Appliance.Core.Yaml;

/// <summary>A text that matches a pattern and, where a pattern cannot say it, a test.</summary>
internal sealed class TextShape(string expected, string pattern, Func<string, bool>? valid = null, int longest = 4096) : Shape
{
    private readonly Regex _pattern = new($"^(?:{pattern})$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    public override string Expected { get; } = expected;

    public override object Read(YamlNode node, YamlSource source, string path) =>
        node is YamlScalarNode { Value: { } text } && text.Length <= longest && !text.Contains('\n') && _pattern.IsMatch(text) && (valid?.Invoke(text) ?? true)
            ? text
            : throw source.Unexpected(node, path, Expected);

    public override JsonObject ToJsonSchema() => new() { ["type"] = new JsonArray("string", "number"), ["pattern"] = $"^(?:{pattern})$", ["maxLength"] = longest };
}
