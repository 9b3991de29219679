using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core.Yaml;
using Appliance.ImageBuilder.Workloads;

namespace Appliance.ImageBuilder.Definition;

/// <summary>What can be said in a file, from the declarations that its reader uses: the schema for editors and the table of the docs.</summary>
/// <param name="title">What the file is.</param>
/// <param name="shape">Its declaration.</param>
internal sealed class DefinitionReference(string title, MappingShape shape)
{
    private static readonly JsonSerializerOptions SchemaStyle = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Image definitions.</summary>
    public static DefinitionReference Image { get; } = new("Appliance image definition", ImageShape.For(new DefinitionLookup("", "")));

    /// <summary>A workload's <c>workload.yaml</c>.</summary>
    public static DefinitionReference Workload { get; } = new("Appliance workload", WorkloadDefinition.ShapeIn(""));

    /// <summary>The JSON Schema (draft 2020-12).</summary>
    public string JsonSchema()
    {
        var json = new JsonObject { ["$schema"] = "https://json-schema.org/draft/2020-12/schema", ["title"] = title };
        foreach (var (key, value) in shape.ToJsonSchema()) json[key] = value?.DeepClone();
        return json.ToJsonString(SchemaStyle) + "\n";
    }

    /// <summary>One Markdown table row a key, nested keys with dots.</summary>
    public string Markdown()
    {
        var text = new StringBuilder("| key | value | default | what it means |\n|---|---|---|---|\n");
        Append(text, "", shape);
        return text.ToString();
    }

    private static void Append(StringBuilder text, string prefix, MappingShape mapping)
    {
        foreach (var field in mapping.Fields)
        {
            var name = prefix + field.Name;
            var standard = field.Default switch { null => "**required**", "" => "", "{}" => "", var value => $"`{value}`" };
            text.Append($"| `{name}` | {field.Shape.Expected.Replace("|", "\\|", StringComparison.Ordinal)} | {standard} | {field.Description} |\n");
            if (field.Shape is MappingShape inner) Append(text, name + ".", inner);
            else if (field.Shape is IListShape { Item: MappingShape entry }) Append(text, name + "[].", entry);
        }
    }
}
