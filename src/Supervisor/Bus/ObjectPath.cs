namespace Appliance.Supervisor.Bus;

/// <summary>A D-Bus object path (type code <c>o</c>).</summary>
internal readonly record struct ObjectPath(string Value);
