using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace Appliance.ImageBuilder.Definition.Shapes;

/// <summary>
/// The declared form of a YAML value. One declaration reads the value (with errors that carry their position), becomes
/// the JSON Schema for editors and the reference table in the docs.
/// </summary>
internal abstract class Shape
{
    /// <summary>What a person should write here, e.g. "a size such as 512MiB".</summary>
    public abstract string Expected { get; }

    /// <summary>Reads a value or throws a <see cref="Core.UserError"/> that says where and what was expected.</summary>
    public abstract object Read(YamlNode node, YamlSource source, string path);

    /// <summary>The JSON Schema of the value.</summary>
    public abstract JsonObject ToJsonSchema();
}
