using System.Collections.Concurrent;
using Appliance.Supervisor.Fleet;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Supervisor.Tests.Fleet;

/// <summary>A server that is broken, or means harm: the agent lives on, asks with pauses, and does what can be done.</summary>
public sealed class HostileServerTests : IAsyncLifetime
{
    private readonly ConcurrentQueue<string> _asked = new();
    private readonly WebApplication _server;
    private Func<HttpContext, Task> _answer = context => context.Response.WriteAsync("{}");
    private FleetDevice _device = null!;

    public HostileServerTests()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseSetting("urls", "http://127.0.0.1:0");
        _server = builder.Build();
        _server.Run(context =>
        {
            _asked.Enqueue($"{context.Request.Method} {context.Request.Path}");
            return _answer(context);
        });
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _server.StartAsync(Token);
        _device = new FleetDevice(new Uri(_server.Urls.First()));
    }

    public async ValueTask DisposeAsync()
    {
        await _device.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("no JSON")]
    [InlineData("{\"_links\":{\"deploymentBase\":null,\"cancelAction\":{\"href\":null}}}")]
    [InlineData("{\"config\":{\"polling\":{\"sleep\":\"-1\"}},\"_links\":{\"deploymentBase\":{\"href\":\"/7\"}},\"deployment\":{\"chunks\":[null]}}")]
    [InlineData("{\"_links\":{\"deploymentBase\":{\"href\":\"/7\"}},\"deployment\":{\"chunks\":[{\"name\":\"edge\",\"version\":\"1.1\",\"metadata\":[null],\"artifacts\":[null]}]}}")]
    [InlineData("{\"_links\":{\"deploymentBase\":{\"href\":\"/7\"}},\"deployment\":{\"chunks\":[{\"name\":\"edge\",\"version\":\"1.1\",\"metadata\":[{\"key\":\"appliance.kind\",\"value\":\"image\"},{\"key\":\"appliance.repository\",\"value\":\"/etc/shadow\"}]}]}}")]
    [InlineData("{\"_links\":{\"deploymentBase\":{\"href\":\"/7\"}},\"deployment\":{\"chunks\":[{\"name\":\"edge\",\"version\":\"1.1\",\"artifacts\":[{\"filename\":\"x.bundle\",\"_links\":{\"download\":{\"href\":\"file:///etc/shadow\"}}}]}]}}")]
    public async Task WhateverItAnswers_TheAgentLives_AndAGoodAnswerIsTaken(string answer)
    {
        _answer = context => context.Response.WriteAsync(answer, context.RequestAborted);
        await JoinAsync();
        await Eventually.IsTrueAsync(() => _asked.Count(asked => asked.StartsWith("GET", StringComparison.Ordinal)) >= 2, "the questions");

        _answer = context => context.Response.WriteAsync("{\"config\":{\"polling\":{\"sleep\":\"00:00:02\"}}}", context.RequestAborted);
        await Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Connected, "the good answer");
        Assert.Empty(_device.Fetched);
    }

    [Fact]
    public async Task AnEndThatItDoesNotTakeNoteOf_IsNoReasonToAskWithoutAPause()
    {
        _answer = context => context.Response.WriteAsync("{\"config\":{\"polling\":{\"sleep\":\"00:05:00\"}},\"_links\":{\"deploymentBase\":{\"href\":\"/7\"}},\"deployment\":{\"update\":\"attempt\",\"chunks\":[{\"name\":\"edge\",\"version\":\"0.9\",\"metadata\":[{\"key\":\"appliance.kind\",\"value\":\"image\"}]}]}}", context.RequestAborted);
        await JoinAsync();
        await _device.ReportsAsync();
        await Task.Delay(TimeSpan.FromSeconds(5), Token);

        Assert.InRange(_asked.Count(asked => asked.EndsWith("/feedback", StringComparison.Ordinal)), 1, 4);
        Assert.InRange(_asked.Count(asked => asked.EndsWith(_device.Id, StringComparison.Ordinal)), 1, 8);
    }

    [Fact]
    public async Task ATokenThatIsNone_IsNotKept()
    {
        _answer = context => context.Response.WriteAsync("{\"id\":\"x\",\"token\":\"two\\nlines\"}", context.RequestAborted);
        await _device.StartAsync();
        await _device.Agent.JoinAsync(new JoinRequest { EnrolmentToken = "enrol_1_x" });
        await Eventually.IsTrueAsync(() => _device.Agent.Status.Trouble is not null, "the trouble");

        Assert.Equal("enrol_1_x", (await _device.Membership.ReadAsync(Token))!.EnrolmentToken);
        await _device.RestartAsync(); // and the supervisor starts
    }

    [Fact]
    public async Task EventsWithoutEnd_AreNotKept()
    {
        var (sent, ended) = (0L, 0);
        _answer = async context =>
        {
            if (!context.Request.Path.Value!.EndsWith("/events", StringComparison.Ordinal))
            {
                await context.Response.WriteAsync("{}", context.RequestAborted);
                return;
            }
            context.Response.ContentType = "text/event-stream";
            var line = new byte[16 << 10];
            try
            {
                while (Interlocked.Add(ref sent, line.Length) < 64 << 20)
                {
                    await context.Response.Body.WriteAsync(line, context.RequestAborted);
                    await Task.Delay(1, context.RequestAborted); // a write into a connection that is gone takes no time, and its end is told a little later
                }
            }
            finally
            {
                Interlocked.Increment(ref ended);
            }
        };
        await JoinAsync();
        await Eventually.IsTrueAsync(() => Volatile.Read(ref ended) > 0, "the end of the connection");

        Assert.InRange(Interlocked.Read(ref sent), 1, 32 << 20); // what lies in sockets
        await Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Connected, "the connection");
    }

    /// <summary>Whatever became of its files, the supervisor starts.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{\"format\":2}")]
    [InlineData("{\"format\":2,\"sealed\":\"AAAA\"}")]
    [InlineData("{\"format\":3}")]
    [InlineData("{\"format\":1,\"server\":\"no address\",\"token\":\"x\"}")]
    [InlineData("{\"format\":1,\"token\":\"two\\nlines\"}")]
    [InlineData("{\"format\":1,\"trust\":\"no PEM\",\"token\":\"x\"}")]
    [InlineData("{\"format\":1,\"certificate\":{\"key\":\"no PEM\",\"certificate\":\"no PEM\"}}")]
    public async Task ADamagedMembership_StopsNothing_AndStaysWhereItIs(string content)
    {
        await File.WriteAllTextAsync(_device.MembershipPath, content, Token);
        await _device.StartAsync();
        await Task.Delay(TimeSpan.FromMilliseconds(300), Token);

        Assert.Equal(content, await File.ReadAllTextAsync(_device.MembershipPath, Token));
        await _device.Agent.JoinAsync(new JoinRequest { Token = "a-token" });
        await Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Connected, "the connection");
    }

    private async Task JoinAsync()
    {
        await _device.StartAsync();
        await _device.Agent.JoinAsync(new JoinRequest { Token = "a-token" });
    }
}
