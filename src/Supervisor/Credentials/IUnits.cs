using Appliance.Core;

namespace Appliance.Supervisor.Credentials;

/// <summary>The units that use credentials.</summary>
internal interface IUnits
{
    /// <summary>Whether a unit runs.</summary>
    Task<bool> IsActiveAsync(string unit, CancellationToken cancellationToken);

    /// <summary>When the program of a service was started that runs now, or ran last; null where none was since the machine's start.</summary>
    Task<DateTimeOffset?> StartedAtAsync(string unit, CancellationToken cancellationToken);

    /// <summary>Starts a unit, or starts it anew, and waits until it is active.</summary>
    /// <exception cref="UserError">It does not become that.</exception>
    Task RestartAsync(string unit, TimeSpan limit, CancellationToken cancellationToken);

    /// <summary>
    /// Has a unit read its settings anew, or starts it anew where it cannot, and waits until it is active. One that does not run and is
    /// disabled or masked is left alone.
    /// </summary>
    /// <exception cref="UserError">It does not become that.</exception>
    Task ReloadAsync(string unit, TimeSpan limit, CancellationToken cancellationToken);

    /// <summary>Stops a unit, and waits until it is inactive.</summary>
    /// <exception cref="UserError">It does not become that.</exception>
    Task StopAsync(string unit, TimeSpan limit, CancellationToken cancellationToken);
}
