using System.Text;
using Appliance.Core.Health;
using Appliance.Core.Yaml;

namespace Appliance.ImageBuilder.Definition;

/// <summary>The reference table of the docs, from the declarations that the reader uses.</summary>
internal static class DefinitionReference
{
    /// <summary>One Markdown table row a key, nested keys with dots.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder("| key | value | default | what it means |\n|---|---|---|---|\n");
        Append(text, "", ImageShape.For(new DefinitionLookup("", "")));
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
            else if (field.Shape is ListShape<UserDefinition> { Item: MappingShape user }) Append(text, name + "[].", user);
            else if (field.Shape is ListShape<HealthCheck> { Item: MappingShape check }) Append(text, name + "[].", check);
        }
    }
}
