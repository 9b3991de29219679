using Appliance.Core;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>Units that do at their start what a test says: read a file, refuse to start. What runs survives no power cut.</summary>
internal sealed class ModelUnits : IUnits
{
    private readonly HashSet<string> _active = [];
    private readonly Dictionary<string, DateTimeOffset> _started = [];

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; set; } = TimeProvider.System;

    /// <summary>Called when a unit starts, starts anew or reads its settings anew; what it throws is the failure of that.</summary>
    public Func<string, Task> OnStart { get; set; } = _ => Task.CompletedTask;

    /// <summary>Called when a unit stops because it was told to.</summary>
    public Action<string> OnStop { get; set; } = _ => { };

    /// <summary>Units that are not to run.</summary>
    public HashSet<string> Disabled { get; } = [];

    /// <summary>How long the last unit that was started had for it.</summary>
    public TimeSpan LastLimit { get; private set; }

    /// <summary>Names of units that are to run before anything happens.</summary>
    public void SetActive(params string[] units) => _active.UnionWith(units);

    /// <summary>The machine starts anew, and its units with it, as far as they can.</summary>
    public async Task BootAsync(params string[] units)
    {
        _active.Clear();
        foreach (var unit in units)
        {
            try
            {
                await RestartAsync(unit, TimeSpan.Zero, CancellationToken.None);
            }
            catch (UserError)
            {
                // It failed; systemd tries on.
            }
        }
    }

    public Task<bool> IsActiveAsync(string unit, CancellationToken cancellationToken) => Task.FromResult(_active.Contains(unit));

    public Task<DateTimeOffset?> StartedAtAsync(string unit, CancellationToken cancellationToken) => Task.FromResult<DateTimeOffset?>(_started.TryGetValue(unit, out var start) ? start : null);

    public async Task RestartAsync(string unit, TimeSpan limit, CancellationToken cancellationToken)
    {
        _active.Remove(unit);
        (_started[unit], LastLimit) = (Time.GetUtcNow(), limit);
        await OnStart(unit);
        _active.Add(unit);
    }

    public Task ReloadAsync(string unit, TimeSpan limit, CancellationToken cancellationToken) => Disabled.Contains(unit) && !_active.Contains(unit) ? Task.CompletedTask : RestartAsync(unit, limit, cancellationToken);

    public Task StopAsync(string unit, TimeSpan limit, CancellationToken cancellationToken)
    {
        _active.Remove(unit);
        OnStop(unit);
        return Task.CompletedTask;
    }
}
