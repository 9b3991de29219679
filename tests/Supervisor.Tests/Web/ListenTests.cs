using System.Net;
using Appliance.ImageBuilder.Run;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Web;

namespace Supervisor.Tests.Web;

/// <summary>The page listens where the image says.</summary>
public sealed class ListenTests : IAsyncLifetime
{
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync()
    {
        _scene = await DaemonScene.PrepareAsync();
        _scene.Listen = null;
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    [Theory]
    [InlineData("127.0.0.2")]
    [InlineData("[::1]")]
    public async Task AtTheAddressOfTheImage_AndNoOther(string address)
    {
        var port = RunCommand.FreePort(38443);
        _scene.Device.Write("usr/lib/appliance/access.json", $$"""{ "listen": "{{address}}:{{port}}" }""");

        await _scene.StartAsync();

        Assert.Equal($"https://{address}:{port}/", _scene.Http.BaseAddress!.ToString());
        // The check of the page goes there too.
        await _scene.HealthBecomesAsync("healthy");
        await Assert.ThrowsAsync<HttpRequestException>(() => _scene.Http.GetAsync(new Uri($"https://127.0.0.1:{port}/healthz"), TestContext.Current.CancellationToken));
        Assert.Contains($"Status page: https://{address}:{port}/\n", await File.ReadAllTextAsync(_scene.File("50-appliance.issue"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutItsAddress_TheDeviceIsHealthy()
    {
        _scene.Device.Write("usr/lib/appliance/access.json", $$"""{ "listen": "192.0.2.7:{{RunCommand.FreePort(38443)}}" }""");

        await _scene.StartAsync();

        await Eventually.IsTrueAsync(async () => (string)await _scene.PropertyAsync("Health") == "healthy", "health");
        Assert.Contains(_scene.Service<HealthMonitor>().Report.Checks, check => check is { Name: "page", Message: "the status page waits for its address 192.0.2.7" });
    }

    /// <summary>What the address server gives is often there after the supervisor; that is no reason to fail the boot.</summary>
    [Theory]
    [InlineData("192.0.2.7")]
    [InlineData("2001:db8::7")]
    public void AnAddressThatTheDeviceDoesNotHaveYet_CanBeListenedAt(string address)
    {
        using var socket = ListenSocket.Create(new IPEndPoint(IPAddress.Parse(address), 0));

        socket.Listen();

        Assert.Equal(IPAddress.Parse(address), ((IPEndPoint)socket.LocalEndPoint!).Address);
    }
}
