namespace Appliance.Supervisor.Bus;

/// <summary>An exported read-only property. <paramref name="Get"/> is called on the bus thread and must be quick.</summary>
internal sealed record BusProperty(string Name, string Signature, Func<object> Get)
{
    /// <summary>Tells those who introspect that its changes are announced.</summary>
    public bool EmitsChange { get; init; } = true;
}
