using YamlDotNet.RepresentationModel;

namespace Appliance.Core.Yaml;

/// <summary>The values a mapping had, by key, with their nodes for later checks.</summary>
internal sealed class Bag(YamlSource source, string path, YamlNode node)
{
    private readonly Dictionary<string, (object Value, YamlNode Node)> _values = [];

    /// <summary>Keeps a value.</summary>
    public void Set(string key, object value, YamlNode at) => _values[key] = (value, at);

    /// <summary>True when the mapping had the key.</summary>
    public bool Has(string key) => _values.ContainsKey(key);

    /// <summary>The value of a key, or a fallback when it was not there.</summary>
    public T Get<T>(string key, T fallback) => _values.TryGetValue(key, out var entry) ? (T)entry.Value : fallback;

    /// <summary>The value of a required key.</summary>
    public T Get<T>(string key) => (T)_values[key].Value;

    /// <summary>A list, empty when the key was not there.</summary>
    public IReadOnlyList<T> List<T>(string key) => Get<IReadOnlyList<T>>(key, []);

    /// <summary>An error at the value of a key, or at the mapping itself.</summary>
    public UserError Error(string? key, string problem) =>
        key is not null && _values.TryGetValue(key, out var entry)
            ? source.Error(entry.Node, path.Length == 0 ? key : $"{path}.{key}", problem)
            : source.Error(node, path, problem);

    /// <summary>An error at one entry of a list.</summary>
    public UserError ErrorAt(string key, int index, string problem) =>
        source.Error(((YamlSequenceNode)_values[key].Node)[index], $"{(path.Length == 0 ? key : $"{path}.{key}")}[{index}]", problem);
}
