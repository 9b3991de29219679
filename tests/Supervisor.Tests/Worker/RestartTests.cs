using Appliance.Core;
using Appliance.Supervisor.Worker;

namespace Supervisor.Tests.Worker;

/// <summary>The worker asks login1 for the restart, as a peer on a real bus answers it.</summary>
public sealed class RestartTests : IAsyncLifetime
{
    private const ulong RootChecksInhibitors = 1;
    private readonly PrivateBus _bus = new();
    private readonly WorkerScene _scene = new();
    private FakeLogin _login = null!;

    public async ValueTask InitializeAsync()
    {
        _scene.BusAddress = _bus.Address;
        _login = new FakeLogin(_bus.Address);
        await _login.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _scene.DisposeAsync();
        await _login.DisposeAsync();
        _bus.Dispose();
    }

    private Task<WorkerResult> RestartAsync(bool force = false, string? version = null) =>
        _scene.Client.RunAsync(new WorkerRequest { Verb = WorkerVerb.Reboot, Force = force, Version = version, Slot = version is null ? null : "b" }, null, null, TestContext.Current.CancellationToken);

    [Fact]
    public async Task WithoutLocks_ItRestarts_AndLogin1LooksOnceMore()
    {
        _login.Lock("sleep", "block");
        _login.Lock("shutdown", "delay");

        Assert.True((await RestartAsync()).Inhibitors is null or { Count: 0 });

        Assert.Equal([RootChecksInhibitors], _login.Restarts);
    }

    [Fact]
    public async Task ALock_HoldsItUp_WithWhoAndWhy()
    {
        _scene.Hook("pre-reboot.d", "exit 1"); // not even asked
        _login.Lock("shutdown:sleep", "block");

        Assert.Equal(["backup: a backup runs"], (await RestartAsync(version: "1.1")).Inhibitors);

        Assert.Empty(_login.Restarts);
    }

    [Fact]
    public async Task Force_DoesNotAskForLocks()
    {
        _login.Lock("shutdown", "block");

        await RestartAsync(force: true);

        Assert.Equal([0ul], _login.Restarts);
    }

    [Fact]
    public async Task APreRebootHookThatFails_KeepsTheDeviceUp()
    {
        _scene.Hook("pre-reboot.d", "echo $APPLIANCE_VERSION in $APPLIANCE_SLOT is not wanted now; exit 1");

        var error = await Assert.ThrowsAsync<UserError>(() => RestartAsync(version: "1.1"));

        Assert.Contains("1.1 in b is not wanted now", error.Message, StringComparison.Ordinal);
        Assert.Empty(_login.Restarts);
    }

    [Fact]
    public async Task ARestartIntoNothingNew_RunsNoHooks()
    {
        _scene.Hook("pre-reboot.d", "exit 1");

        await RestartAsync();

        Assert.Single(_login.Restarts);
    }

    [Fact]
    public async Task WithoutLogin1_TheFailureIsTold()
    {
        await _login.DisposeAsync();

        Assert.Contains("login1", (await Assert.ThrowsAsync<WorkerException>(() => RestartAsync())).Message, StringComparison.Ordinal);
    }
}
