using Appliance.Core;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Secrets;
using Appliance.UpdateServer.Fleet;
using Supervisor.Tests.Updates;
using UpdateServer.Tests;

namespace Supervisor.Tests.Fleet;

/// <summary>By what the device is known, sealed by the real systemd-creds: on the disk, after a restart, on another machine, and without the worker.</summary>
public sealed class SealedMembershipTests : IAsyncLifetime
{
    private static readonly FleetMembership Known = new()
    {
        Server = "https://fleet.example.net:8443",
        Tenant = "shops",
        IsGateways = true,
        EnrolmentToken = "enrol_1_word",
        Token = "a-token-of-its-own",
        Certificate = DeviceCredential.Create("edge-1") with { Certificate = "held" },
        Next = DeviceCredential.Create("edge-1"),
        Previous = DeviceCredential.Create("edge-1") with { Certificate = "before" },
        PreviousUntil = DateTimeOffset.UnixEpoch.AddYears(60),
        IsPreviousFactorys = true,
        IsPreviousNewer = true,
        Wish = CertificateWish.Emergency,
    };

    private ServerScene _server = null!;
    private FleetDevice _device = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        _device = new FleetDevice(_server.Address);
    }

    public async ValueTask DisposeAsync()
    {
        await _device.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task NoSecret_IsOnTheDisk_AndAllOfIt_ComesBack()
    {
        await _device.Membership.WriteAsync(Known, Token);

        var kept = await ContentAsync();
        Assert.All([Known.EnrolmentToken!, Known.Token!, "PRIVATE KEY", Known.Certificate!.Key[40..80]], secret => Assert.DoesNotContain(secret, kept, StringComparison.Ordinal));
        Assert.Contains(Known.Server!, kept, StringComparison.Ordinal);
        Assert.Equal(Known, await _device.Membership.ReadAsync(Token));
        Assert.DoesNotContain("token", $"{Known}{Known.Certificate}{FleetSecrets.Of(Known)}", StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task AFileOfFormat1_IsRead_AndSealedWhenItIsWrittenNext()
    {
        await WriteAsync("""{"format":1,"server":"https://fleet.example.net","token":"in-clear","certificate":{"key":"-----BEGIN PRIVATE KEY-----","certificate":"held"},"isGateways":true}""");

        var read = (await _device.Membership.ReadAsync(Token))!;
        Assert.Equal(new FleetMembership { Server = "https://fleet.example.net", Token = "in-clear", Certificate = new("-----BEGIN PRIVATE KEY-----", "held"), IsGateways = true }, read);

        await _device.Membership.WriteAsync(read, Token);
        Assert.DoesNotContain("in-clear", await ContentAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain("PRIVATE KEY", await ContentAsync(), StringComparison.Ordinal);
        Assert.Equal(read, await _device.Membership.ReadAsync(Token));
    }

    [Fact]
    public async Task AFileOfFormat1_IsSealedWhenTheSupervisorStarts_AndWhereThatCannotBe_AtTheNextStart()
    {
        await WriteAsync($$"""{"format":1,"token":"{{ServerScene.GatewayToken}}","isGateways":true}""");
        _device.SealsNothing = true;
        await _device.StartAsync();
        await ConnectedAsync(); // what lies in clear needs nobody
        Assert.Contains(ServerScene.GatewayToken, await ContentAsync(), StringComparison.Ordinal);

        _device.SealsNothing = false;
        await _device.RestartAsync();
        await ConnectedAsync();
        Assert.DoesNotContain(ServerScene.GatewayToken, await ContentAsync(), StringComparison.Ordinal);
        Assert.Equal(new FleetMembership { Token = ServerScene.GatewayToken, IsGateways = true }, await _device.Membership.ReadAsync(Token));
    }

    [Fact]
    public async Task OnAnotherMachine_TheDeviceMustJoinAgain_AndNothingIsDeleted()
    {
        await JoinAsync();
        var kept = await ContentAsync();
        await _device.StopAsync();
        File.Delete(_device.HostSecret);
        await new SystemdCreds(_device.HostSecret).SealAsync(SecretName.Fleet, new byte[] { 1 }, Token); // another machine has a key, too

        await _device.StartAsync();
        await Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Unreadable, "the end of it");
        Assert.Contains("another machine's, or this one has lost its key; the device must join again", _device.Agent.Status.Trouble, StringComparison.Ordinal);
        Assert.Null(_device.Agent.Client);
        Assert.Equal(kept, await ContentAsync());

        await _device.Agent.JoinAsync(new JoinRequest { GatewayToken = ServerScene.GatewayToken });
        await ConnectedAsync();
    }

    [Fact]
    public async Task WithoutTheKey_OrTheWorker_TheDeviceCanLeave()
    {
        await JoinAsync();
        File.Delete(_device.HostSecret);
        await _device.RestartAsync();
        await Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Unreadable, "the end of it");

        await _device.Agent.LeaveAsync();
        Assert.False(File.Exists(_device.MembershipPath));
        Assert.Equal(FleetState.NotJoined, _device.Agent.Status.State);
    }

    [Fact]
    public async Task WithoutTheWorker_TheSupervisorStarts_SaysWhy_AndTriesAgain()
    {
        await JoinAsync();
        _device.SealsNothing = true;
        await _device.RestartAsync();
        await Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Unreadable, "the trouble");
        Assert.Contains("cannot be read: the worker cannot be reached", _device.Agent.Status.Trouble, StringComparison.Ordinal);
        Assert.Equal($"{_server.Address}", _device.Agent.Status.Server);

        _device.SealsNothing = false;
        await ConnectedAsync();
        Assert.Null(_device.Agent.Status.Trouble);
    }

    [Fact]
    public async Task WithoutTheWorker_WhatWasAssignedBefore_GoesOn_AndIsReportedLater()
    {
        var release = await _server.Database.WriteAsync(async context =>
        {
            var row = new Release { Kind = ReleaseKind.Image, Name = "edge", Version = "1.1", Channel = "stable", CreatedAt = DateTimeOffset.UtcNow };
            context.Releases.Add(row);
            await context.SaveChangesAsync(Token);
            return row.Id;
        }, Token);
        await JoinAsync();
        await _server.AssignAsync(_device.Id, release, forced: true);
        await _device.BecomesAsync(AssignmentStep.Installed);
        _device.SealsNothing = true;
        await _device.RestartAsync();
        await Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Unreadable, "the trouble");

        await _device.KeepAsync();
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        Assert.False(_device.Work.Current!.IsReported);

        _device.SealsNothing = false;
        await _device.ReportsAsync();
    }

    [Fact]
    public async Task WhatCannotBeSealed_IsNotTaken_AndWhatWasThere_Stays()
    {
        await JoinAsync();
        var kept = await ContentAsync();
        _device.SealsNothing = true;

        var error = await Assert.ThrowsAsync<UserError>(() => _device.Agent.JoinAsync(new JoinRequest { Token = "another-word" }));
        Assert.Contains("is not kept in clear: the worker cannot be reached", error.Message, StringComparison.Ordinal);
        Assert.Equal(kept, await ContentAsync());
        Assert.Equal(FleetState.Connected, _device.Agent.Status.State);
    }

    private async Task JoinAsync()
    {
        await _device.StartAsync();
        await _device.Agent.JoinAsync(new JoinRequest { GatewayToken = ServerScene.GatewayToken });
        await ConnectedAsync();
    }

    private Task ConnectedAsync() => Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Connected, "the connection");

    private Task<string> ContentAsync() => File.ReadAllTextAsync(_device.MembershipPath, Token);

    private Task WriteAsync(string content) => File.WriteAllTextAsync(_device.MembershipPath, content, Token);
}
