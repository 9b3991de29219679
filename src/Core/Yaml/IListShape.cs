namespace Appliance.Core.Yaml;

/// <summary>A list, whatever its entries are.</summary>
internal interface IListShape
{
    /// <summary>The shape of the entries, for the reference table.</summary>
    Shape Item { get; }
}
