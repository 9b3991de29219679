using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace Appliance.Core.Yaml;

/// <summary>
/// The declared form of a YAML value. One declaration reads the value (with errors that carry their position), becomes
/// the JSON Schema for editors and the reference table in the docs.
/// </summary>
internal abstract class Shape
{
    /// <summary>What a person should write here, e.g. "a size such as 512MiB".</summary>
    public abstract string Expected { get; }

    /// <summary>Reads a value or throws a <see cref="UserError"/> that says where and what was expected.</summary>
    public abstract object Read(YamlNode node, YamlSource source, string path);

    /// <summary>Reads a file that holds nothing but such a value.</summary>
    /// <exception cref="UserError">Missing, unreadable, not YAML, or of another form.</exception>
    public object Load(string path, string? hint = null)
    {
        var source = YamlSource.Load(path, Expected, hint);
        return Read(source.Root, source, "");
    }

    /// <summary>Reads a text that holds nothing but such a value.</summary>
    /// <param name="name">What errors call it.</param>
    /// <param name="text">The text.</param>
    /// <param name="hidesValues">Whether errors show nothing that stands in it.</param>
    /// <exception cref="UserError">Not YAML, or of another form.</exception>
    public object Parse(string name, string text, bool hidesValues = false)
    {
        var source = YamlSource.Of(name, text, Expected, hidesValues);
        return Read(source.Root, source, "");
    }

    /// <summary>The JSON Schema of the value.</summary>
    public abstract JsonObject ToJsonSchema();
}
