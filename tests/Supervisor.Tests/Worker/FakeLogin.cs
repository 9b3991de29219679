using Appliance.Supervisor.Bus;

namespace Supervisor.Tests.Worker;

/// <summary>A peer on a real bus that answers as login1 does, and restarts nothing.</summary>
internal sealed class FakeLogin(string busAddress) : IAsyncDisposable
{
    private readonly BusConnection _bus = new(busAddress);
    private readonly List<object> _locks = [];

    /// <summary>The flags of each restart that was asked for.</summary>
    public List<ulong> Restarts { get; } = [];

    /// <summary>Whether it says no to a restart.</summary>
    public bool Refuses { get; set; }

    public async Task StartAsync()
    {
        await _bus.ExportAsync("/org/freedesktop/login1", "org.freedesktop.login1.Manager",
            [
                new("ListInhibitors", "", "a(ssssuu)", ["inhibitors"], _ => [_locks]),
                new("RebootWithFlags", "t", "", ["flags"], arguments =>
                {
                    if (Refuses) throw new BusException("org.freedesktop.login1.OperationInProgress", "another operation is in progress");
                    Restarts.Add((ulong)arguments[0]);
                    return [];
                }),
            ], []);
        await _bus.RequestNameAsync("org.freedesktop.login1");
    }

    public void Lock(string what, string mode) => _locks.Add(new object[] { what, "backup", "a backup runs", mode, 0u, 1u });

    public ValueTask DisposeAsync() => _bus.DisposeAsync();
}
