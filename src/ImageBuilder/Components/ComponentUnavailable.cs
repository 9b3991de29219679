namespace Appliance.ImageBuilder.Components;

/// <summary>A component that cannot be had here. Whether that is an error or a fallback is the definition's choice.</summary>
internal sealed class ComponentUnavailable(string message, string hint, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>How to supply it.</summary>
    public string Hint { get; } = hint;
}
