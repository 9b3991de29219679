using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace Appliance.Core.Yaml;

/// <summary>A scalar converted to something else: a size, a duration, a date, a choice.</summary>
/// <param name="expected">What to write here.</param>
/// <param name="parse">Gives the value, or null when the text is none.</param>
/// <param name="schema">The JSON Schema of the text.</param>
internal sealed class ValueShape(string expected, Func<string, object?> parse, Func<JsonObject> schema) : Shape
{
    public override string Expected { get; } = expected;

    public override object Read(YamlNode node, YamlSource source, string path) =>
        node is YamlScalarNode { Value: { } text } && parse(text) is { } value ? value : throw source.Unexpected(node, path, Expected);

    public override JsonObject ToJsonSchema() => schema();

    /// <summary>One of a few words.</summary>
    public static ValueShape Choice<T>(params (string Word, T Value)[] choices) where T : notnull =>
        new(Sentence(choices.Select(choice => choice.Word)),
            text => choices.Where(choice => choice.Word == text).Select(choice => (object?)choice.Value).FirstOrDefault(),
            () => new() { ["enum"] = new JsonArray([.. choices.Select(choice => (JsonNode)choice.Word)]) });

    /// <summary>true or false.</summary>
    public static ValueShape Boolean() =>
        new("true or false", text => text switch { "true" => true, "false" => (object)false, _ => null }, () => new() { ["type"] = "boolean" });

    private static string Sentence(IEnumerable<string> words) => string.Join(" or ", words);
}
