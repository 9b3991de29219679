namespace Appliance.Supervisor.Bus;

/// <summary>A D-Bus variant: a value and the signature it is sent with.</summary>
internal sealed record Variant(string Signature, object Value);
