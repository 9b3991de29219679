namespace Appliance.Supervisor.Control;

/// <summary>The device could not do what it was asked for; trying again may help.</summary>
internal sealed class DeviceFailedException(string message, Exception? inner = null) : Exception(message, inner);
