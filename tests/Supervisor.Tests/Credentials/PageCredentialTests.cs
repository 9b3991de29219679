using System.Net;
using System.Net.Sockets;
using Appliance.Core;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>A page that cannot be asked is a failure like any other: the old certificate is shown on.</summary>
public sealed class PageCredentialTests : IDisposable
{
    private readonly PageScene _scene = new();
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public PageCredentialTests() => _listener.Start();

    public void Dispose()
    {
        _listener.Dispose();
        _scene.Dispose();
    }

    [Fact]
    public async Task ThePageShowsTheNewOne()
    {
        await _scene.RotateAsync();
        Assert.Equal(1, await _scene.UsedAsync());
    }

    [Fact]
    public Task WhatTakesConnections_AndNeverAnswers_IsAFailure()
    {
        _scene.AnswerLimit = TimeSpan.FromSeconds(2);
        return FailsAsync("The page does not answer with the new certificate within 2 s");
    }

    [Fact]
    public Task WhereNothingListens_ThatIsAFailure()
    {
        var address = Address;
        _listener.Stop();
        return FailsAsync("The page does not answer with the new certificate: Connection refused", address);
    }

    [Fact]
    public async Task WhatShowsAnotherCertificate_IsAFailure()
    {
        using var other = new PageScene();
        await FailsAsync("The page does not answer with the new certificate: The remote certificate was rejected", other.Address);
    }

    private Uri Address => new($"https://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    private async Task FailsAsync(string reason, Uri? address = null)
    {
        _scene.Elsewhere = address ?? Address;
        var error = await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync());
        Assert.Contains("failed while it was confirming, and the old one is used on", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Equal(0, await _scene.UsedAsync());
        Assert.Equal(RotationStep.Idle, _scene.Engine.Read("page-certificate").Step);

        _scene.Elsewhere = null;
        await _scene.RotateAsync();
        Assert.Equal(1, await _scene.UsedAsync());
    }
}
