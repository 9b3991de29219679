namespace Appliance.Supervisor.Bus;

/// <summary>A D-Bus error: its name, e.g. <c>org.freedesktop.DBus.Error.NoReply</c>, and its message.</summary>
public sealed class BusException(string name, string message) : Exception($"{name}: {message}")
{
    /// <summary>The error's name.</summary>
    public string Name { get; } = name;

    /// <summary>What it says, without the name.</summary>
    public string Text { get; } = message;
}
