using System.Net;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Provisioning;
using Appliance.UpdateServer.Fleet;
using Supervisor.Tests.Fleet;
using UpdateServer.Tests;

namespace Supervisor.Tests.Provisioning;

/// <summary>What a device was told on its disk and its supervisor does: it joins its fleet, and has the setup code that somebody chose.</summary>
public sealed class SetupWorkTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("setup");
    private ServerScene _server = null!;
    private FleetDevice _device = null!;
    private OwnerAccess _access = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Pending => Path.Combine(_folder.FullName, PendingSetup.FileName);

    public async ValueTask InitializeAsync()
    {
        _server = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        _device = new FleetDevice(_server.Address);
        await _device.StartAsync();
        _access = new OwnerAccess(Path.Combine(_folder.FullName, "access.json"), TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        _access.Dispose();
        await _device.DisposeAsync();
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task ItJoinsTheFleet_AndTheFileIsGone()
    {
        var token = (string)(await _server.PostAsync("/api/v1/enrolment-tokens", new { name = "bench", uses = 1 }))["value"]!;
        await RunAsync(new PendingSetup { SetupCode = "7K3MQ9VX", EnrolmentToken = token }, async () =>
        {
            Assert.Equal("7K3M-Q9VX", _access.SetupCode); // before anybody is shown another one
            await Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Connected, "the connection");
            await Eventually.IsTrueAsync(() => !File.Exists(Pending), "the end of the file");
        });
    }

    /// <summary>The power went before the file was deleted: it is done again, and comes out the same.</summary>
    [Fact]
    public async Task DoneAgain_ItComesOutTheSame()
    {
        var token = (string)(await _server.PostAsync("/api/v1/enrolment-tokens", new { name = "bench", uses = 2 }))["value"]!;
        for (var time = 0; time < 2; time++)
        {
            await RunAsync(new PendingSetup { EnrolmentToken = token }, async () =>
            {
                await Eventually.IsTrueAsync(() => !File.Exists(Pending), "the end of the file");
                await Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Connected, "the connection");
            });
        }
    }

    [Fact]
    public async Task WithAPassword_NobodyBecomesTheOwnerByACode()
    {
        var session = (await _access.LogInAsync(_access.SetupCode!, IPAddress.Loopback, Token)).Session!;
        await _access.SetPasswordAsync(session, null, "correct horse battery", IPAddress.Loopback, Token);
        await RunAsync(new PendingSetup { SetupCode = "7K3MQ9VX" }, () => Eventually.IsTrueAsync(() => !File.Exists(Pending), "the end of the file"));
        Assert.Null(_access.SetupCode);
        Assert.Null((await _access.LogInAsync("7K3M-Q9VX", IPAddress.Loopback, Token)).Session);
        Assert.NotNull((await _access.LogInAsync("correct horse battery", IPAddress.Loopback, Token)).Session);
    }

    /// <summary>A file that is damaged is a word in the journal, and no supervisor that does not start.</summary>
    [Fact]
    public async Task AFileThatCannotBeRead_IsLeftAlone()
    {
        await File.WriteAllTextAsync(Pending, "{", Token);
        using var work = new SetupWork(Pending, _access, _device.Agent);
        await work.StartAsync(Token);
        await work.ExecuteTask!;
        Assert.NotNull(_access.SetupCode);
    }

    private async Task RunAsync(PendingSetup pending, Func<Task> check)
    {
        await File.WriteAllBytesAsync(Pending, pending.ToJson(), Token);
        using var work = new SetupWork(Pending, _access, _device.Agent);
        await work.StartAsync(Token);
        await check();
        await work.StopAsync(Token);
    }
}
