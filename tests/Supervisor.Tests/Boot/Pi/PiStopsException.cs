namespace Supervisor.Tests.Boot.Pi;

/// <summary>The firmware would stop here.</summary>
internal sealed class PiStopsException(string message) : Exception(message);
