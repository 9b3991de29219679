namespace Appliance.Core.Yaml;

/// <summary>One key of a mapping.</summary>
/// <param name="Name">The key.</param>
/// <param name="Shape">The form of its value.</param>
/// <param name="Description">One sentence for editors and the docs.</param>
/// <param name="Default">The default as a person would write it; null when the key must be there.</param>
internal sealed record Field(string Name, Shape Shape, string Description, string? Default)
{
    /// <summary>True when a definition without the key is refused.</summary>
    public bool Required => Default is null;
}
