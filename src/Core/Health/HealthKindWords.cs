namespace Appliance.Core.Health;

/// <summary>Kinds as declarations and surfaces write them.</summary>
public static class HealthKindWords
{
    /// <summary>The key of a declaration that stands for the kind, e.g. <c>timeSync</c>.</summary>
    public static string Word(this HealthCheckKind kind)
    {
        var name = kind.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
