using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace Appliance.Core.Yaml;

/// <summary>A list of values of one shape; texts each once unless said otherwise.</summary>
internal sealed class ListShape<T>(Shape item, string expected, int longest = 1000, bool distinct = true) : Shape, IListShape
{
    public override string Expected { get; } = expected;

    public override object Read(YamlNode node, YamlSource source, string path)
    {
        if (node is not YamlSequenceNode list) throw source.Unexpected(node, path, Expected);
        if (list.Children.Count > longest) throw source.Error(node, path, $"{list.Children.Count} entries; expected at most {longest}");
        var values = new List<T>();
        foreach (var (child, index) in list.Children.Select((child, index) => (child, index)))
        {
            var value = (T)item.Read(child, source, $"{path}[{index}]");
            if (distinct && value is string && values.Contains(value)) throw source.Error(child, $"{path}[{index}]", $"{(source.HidesValues ? "this" : $"\"{value}\"")} stands in the list already");
            values.Add(value);
        }
        return (IReadOnlyList<T>)values;
    }

    public override JsonObject ToJsonSchema() => new() { ["type"] = "array", ["items"] = item.ToJsonSchema(), ["maxItems"] = longest };

    /// <inheritdoc/>
    public Shape Item => item;
}
