using System.Runtime.InteropServices;
using Appliance.Supervisor.Bus;

namespace Supervisor.Tests;

public sealed partial class BusConnectionTests : IAsyncLifetime
{
    private const string Name = "io.appliance.Test", Path = "/io/appliance/Test";
    private readonly PrivateBus _bus = new();
    private BusConnection _server = null!, _client = null!;

    public async ValueTask InitializeAsync()
    {
        (_server, _client) = (new BusConnection(_bus.Address), new BusConnection(_bus.Address));
        await _server.ExportAsync(Path, Name,
            [
                new("Echo", "sa{sv}(iub)ax", "sa{sv}(iub)ax", ["text", "options", "triple", "numbers", "text", "options", "triple", "numbers"], arguments => [.. arguments]),
                new("Refuse", "", "", [], _ => throw new BusException("io.appliance.Error.Busy", "another job runs")),
                new("Break", "", "", [], _ => throw new InvalidOperationException("oops")),
            ],
            [new("State", "s", () => "good"), new("Reasons", "as", () => new List<string> { "a", "b" }), new("Broken", "s", () => throw new InvalidOperationException("no value"))]);
        await _server.RequestNameAsync(Name);
    }

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _server.DisposeAsync();
        _bus.Dispose();
    }

    private Task<IReadOnlyList<object>> CallAsync(string member, string signature = "", params object[] arguments) => _client.CallAsync(Name, Path, Name, member, signature, arguments);

    private async Task<object> GetAsync(string property) =>
        ((Variant)(await _client.CallAsync(Name, Path, "org.freedesktop.DBus.Properties", "Get", "ss", Name, property))[0]).Value;

    [Fact]
    public async Task Call_EveryKindOfValue_ComesBackAsItWas()
    {
        var options = new Dictionary<object, object> { ["name"] = new Variant("s", "grüße"), ["list"] = new Variant("as", new List<object> { "x", "y" }) };

        var reply = await CallAsync("Echo", "sa{sv}(iub)ax", "text", options, new object[] { -1, 2u, true }, new List<object> { long.MinValue, long.MaxValue });

        Assert.Equal("text", reply[0]);
        var returned = (Dictionary<object, object>)reply[1];
        Assert.Equal("grüße", ((Variant)returned["name"]).Value);
        Assert.Equal(["x", "y"], (List<object>)((Variant)returned["list"]).Value);
        Assert.Equal([-1, 2u, true], (object[])reply[2]);
        Assert.Equal([long.MinValue, long.MaxValue], (List<object>)reply[3]);
    }

    [Fact]
    public async Task Get_AProperty_GivesItsValue()
    {
        Assert.Equal("good", await GetAsync("State"));
        Assert.Equal(["a", "b"], (List<object>)await GetAsync("Reasons"));
    }

    [Theory]
    [InlineData("Refuse", "io.appliance.Error.Busy")]
    [InlineData("Break", "org.freedesktop.DBus.Error.Failed")]
    [InlineData("Nothing", "org.freedesktop.DBus.Error.UnknownMethod")]
    public async Task Call_AMethodThatFails_GivesItsError(string method, string name)
    {
        var error = await Assert.ThrowsAsync<BusException>(() => CallAsync(method));

        Assert.Equal(name, error.Name);
        Assert.Equal("good", await GetAsync("State")); // the connection lives on
    }

    [Fact]
    public async Task Get_APropertyThatFails_GivesAnError() => Assert.Equal("org.freedesktop.DBus.Error.Failed", (await Assert.ThrowsAsync<BusException>(() => GetAsync("Broken"))).Name);

    [Fact]
    public async Task Call_SomebodyWhoIsNotThere_GivesServiceUnknown() =>
        Assert.Equal("org.freedesktop.DBus.Error.ServiceUnknown", (await Assert.ThrowsAsync<BusException>(() => _client.CallAsync("io.nobody", "/", "io.nobody", "Ask"))).Name);

    [Fact]
    public async Task Subscribe_ThenAChange_BringsTheSignal()
    {
        var seen = new TaskCompletionSource<BusSignal>();
        await _client.SubscribeAsync($"type='signal',path='{Path}'", signal => seen.TrySetResult(signal));

        await _server.EmitPropertiesChangedAsync(Path, Name, ["State"]);

        var arguments = (await seen.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)).Arguments;
        Assert.Equal("good", ((Variant)((Dictionary<object, object>)arguments[1])["State"]).Value);
    }

    [Fact]
    public async Task ManyCallsAtOnce_AllComeBack()
    {
        var replies = await Task.WhenAll(Enumerable.Range(0, 500).Select(i => CallAsync("Echo", "sa{sv}(iub)ax", $"{i}", new Dictionary<object, object>(), new object[] { i, 0u, false }, new List<object>())));

        Assert.Equal(Enumerable.Range(0, 500).Select(i => $"{i}"), replies.Select(reply => (string)reply[0]));
    }

    [Fact]
    public async Task TheBusDies_EverythingPendingAndLaterFails()
    {
        _bus.Kill();
        await _client.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<BusException>(() => CallAsync("Echo"));
        await Assert.ThrowsAsync<BusException>(_client.PingThreadAsync);
    }

    /// <summary>A thread that waits in a system call is woken by every signal it gets.</summary>
    [Fact]
    public async Task Connect_UnderSignals_Succeeds()
    {
        var (thread, done) = (0, false);
        var connecting = Task.Factory.StartNew(() =>
        {
            Volatile.Write(ref thread, gettid());
            for (var i = 0; i < 300; i++) new BusConnection(_bus.Address).DisposeAsync().AsTask().Wait();
        }, TaskCreationOptions.LongRunning);
        var signalling = Task.Factory.StartNew(() =>
        {
            const int childEnded = 17;
            while (!Volatile.Read(ref done))
                if (Volatile.Read(ref thread) is var target and not 0) _ = tgkill(Environment.ProcessId, target, childEnded);
        }, TaskCreationOptions.LongRunning);

        await connecting.ContinueWith(_ => Volatile.Write(ref done, true), TaskScheduler.Default);

        await signalling;
        await connecting;
    }

    [Fact]
    public void Connect_WhereThereIsNoBus_Fails() => Assert.Throws<BusException>(() => new BusConnection("unix:path=/nowhere/socket"));

    [LibraryImport("libc")]
    private static partial int gettid();

    [LibraryImport("libc")]
    private static partial int tgkill(int process, int thread, int signal);
}
