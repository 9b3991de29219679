namespace Appliance.Supervisor.Bus;

/// <summary>A signal that an exported interface may send, for introspection.</summary>
internal sealed record BusSignalShape(string Name, string Signature, IReadOnlyList<string> ArgumentNames);
