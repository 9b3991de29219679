using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>The units that use credentials, over a real bus.</summary>
public sealed class SystemdUnitsTests : IAsyncLifetime
{
    private const string Unit = "vpn.service";
    private readonly PrivateBus _bus = new();
    private BusConnection _connection = null!;
    private FakeSystemd _systemd = null!;

    private SystemdUnits Units => new(_bus.Address, TimeProvider.System);

    public async ValueTask InitializeAsync()
    {
        _connection = new BusConnection(_bus.Address);
        _systemd = new FakeSystemd(_connection);
        await _systemd.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        _bus.Dispose();
    }

    /// <summary>By a file that was bad: the good one must not wait for somebody who says that it may be started.</summary>
    [Fact]
    public async Task AUnitThatHasFailedTooOften_IsStarted()
    {
        (_systemd.Units[Unit], _systemd.FileStates[Unit]) = ("failed", "enabled");
        _systemd.Limited.Add(Unit);
        await Units.ReloadAsync(Unit, TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.Equal("active", _systemd.Units[Unit]);
    }

    [Theory]
    [InlineData("active", "disabled", true)]
    [InlineData("failed", "disabled", true)]
    [InlineData("inactive", "enabled", true)] // its file was not there yet, perhaps
    [InlineData("inactive", "disabled", false)]
    [InlineData("inactive", "masked", false)]
    public async Task AUnitThatIsNotToRun_IsNotStartedByANewCredential(string state, string file, bool isReloaded)
    {
        (_systemd.Units[Unit], _systemd.FileStates[Unit]) = (state, file);
        await Units.ReloadAsync(Unit, TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.Equal(isReloaded ? [Unit] : [], _systemd.Reloaded);
    }

    [Fact]
    public async Task AService_SaysWhenItsProgramWasStarted()
    {
        var start = new DateTimeOffset(2026, 11, 30, 12, 0, 0, 700, TimeSpan.Zero);
        await _systemd.ExportServiceAsync(Unit, start);
        await _systemd.ExportServiceAsync("idle.service", null);
        Assert.Equal(start, await Units.StartedAtAsync(Unit, TestContext.Current.CancellationToken));
        Assert.Null(await Units.StartedAtAsync("idle.service", TestContext.Current.CancellationToken));
    }
}
