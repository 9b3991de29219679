using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace Appliance.Core.Yaml;

/// <summary>A mapping with a fixed set of keys, turned into a value by a function.</summary>
internal sealed class MappingShape(string expected, IReadOnlyList<Field> fields, Func<Bag, object> create) : Shape
{
    public override string Expected { get; } = expected;

    /// <summary>The keys, in the order of the docs.</summary>
    public IReadOnlyList<Field> Fields => fields;

    public override object Read(YamlNode node, YamlSource source, string path)
    {
        if (node is not YamlMappingNode mapping) throw source.Unexpected(node, path, Expected);
        var bag = new Bag(source, path, node);
        foreach (var (key, value) in mapping.Children)
        {
            var name = (key as YamlScalarNode)?.Value ?? "";
            var keyPath = path.Length == 0 ? name : $"{path}.{name}";
            var field = fields.FirstOrDefault(field => field.Name == name) ?? throw source.Error(key, source.HidesValues ? path : keyPath, Unknown(name));
            bag.Set(name, field.Shape.Read(value, source, keyPath), value);
        }
        foreach (var field in fields.Where(field => field.Required && !bag.Has(field.Name)))
            throw source.Error(node, path, $"the key {field.Name} is missing; expected {field.Shape.Expected}");
        return create(bag);
    }

    public override JsonObject ToJsonSchema()
    {
        var properties = new JsonObject();
        foreach (var field in fields)
        {
            var schema = field.Shape.ToJsonSchema();
            schema["description"] = field.Description;
            properties[field.Name] = schema;
        }
        var json = new JsonObject { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = properties };
        var required = fields.Where(field => field.Required).Select(field => (JsonNode)field.Name).ToArray();
        if (required.Length > 0) json["required"] = new JsonArray(required);
        return json;
    }

    private string Unknown(string name)
    {
        var near = fields.Select(field => (field.Name, Distance: Distance(name, field.Name))).Where(pair => pair.Distance <= 3).OrderBy(pair => pair.Distance).Select(pair => pair.Name).FirstOrDefault();
        return near is null
            ? $"there is no such key; expected one of {string.Join(", ", fields.Select(field => field.Name))}"
            : $"there is no such key; did you mean {near}?";
    }

    /// <summary>Levenshtein distance, capped by the length of the words.</summary>
    private static int Distance(string a, string b)
    {
        if (a.Length > 64) return int.MaxValue;
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
