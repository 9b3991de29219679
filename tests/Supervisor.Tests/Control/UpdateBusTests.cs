using System.Collections.Concurrent;
using System.Xml.Linq;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Updates;
using Supervisor.Tests.Worker;

namespace Supervisor.Tests.Control;

/// <summary>The members about updates, on a real bus, with the real worker behind them.</summary>
public sealed class UpdateBusTests : IAsyncLifetime
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);
    private readonly ConcurrentQueue<BusSignal> _signals = new();
    private WorkerScene _worker = null!;
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync()
    {
        _worker = new WorkerScene();
        _scene = await DaemonScene.PrepareAsync();
        _scene.WorkerSocket = _worker.SocketPath;
        await _scene.StartAsync();
        await _scene.Client.SubscribeAsync($"type='signal',path_namespace='{SupervisorObject.Path}'", _signals.Enqueue);
        await Eventually.IsTrueAsync(() => _scene.Service<UpdateEngine>().Slots.Count == 2, "the slots");
    }

    public async ValueTask DisposeAsync()
    {
        await _scene.DisposeAsync();
        await _worker.DisposeAsync();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Install_GivesAJob_ThatIsAnObject_ComesAndEnds()
    {
        await _worker.PublishAsync();

        var path = await StartAsync("Install", "sa{sv}", _worker.Publisher.Repository, Options(("by", "s", "ada"), ("reboot", "b", false)));
        var removed = await SignalAsync("JobRemoved");

        Assert.Equal($"{SupervisorObject.Path}/jobs/1", path);
        Assert.Equal([new ObjectPath(path), "done", "version 1.1 is in slot b and waits for the restart"], removed.Arguments);
        var job = await GetAllAsync(path, JobObjects.Interface);
        Assert.Equal((1u, "install", "done", "", "1.1", "ada"), (job["Id"], job["Kind"], job["State"], job["Phase"], job["Version"], job["By"]));
        Assert.True((ulong)job["Total"] > 0 && (ulong)job["Done"] == (ulong)job["Total"] && (ulong)job["StartedAt"] > 0);
        Assert.Equal("version 1.1 is in slot b and waits for the restart", job["Message"]);
        var members = _signals.Select(signal => signal.Member).ToList();
        Assert.True(members.IndexOf("InterfacesAdded") < members.IndexOf("JobNew") && members.IndexOf("JobNew") < members.IndexOf("JobRemoved"));
        Assert.Contains(_signals, signal => signal.Member == "PropertiesChanged" && signal.Path == path);
        Assert.Equal("installed", await _scene.PropertyAsync("UpdateState"));
        Assert.Equal("1.1", await _scene.PropertyAsync("PendingVersion"));
        Assert.Equal(new ObjectPath("/"), await _scene.PropertyAsync("CurrentJob"));
        var result = Plain(await _scene.PropertyAsync("LastResult"));
        Assert.Equal(("installed", "1.1", "1.0"), (result["Outcome"], result["Version"], result["From"]));
        var slot = Plain(((List<object>)await _scene.PropertyAsync("Slots"))[1]);
        Assert.Equal(("b", false, "trial", "1.1", 3, 0), (slot["Name"], slot["Running"], slot["State"], slot["Version"], slot["TriesLeft"], slot["TriesDone"]));
        Assert.Equal(64, ((string)slot["RootHash"]).Length);
    }

    [Fact]
    public async Task Check_SaysWhatThereIs()
    {
        await _worker.PublishAsync();

        await StartAsync("Check", "a{sv}", Options(("source", "s", _worker.Publisher.Repository)));

        Assert.StartsWith("version 1.1 can be installed; ", (string)(await SignalAsync("JobRemoved")).Arguments[2], StringComparison.Ordinal);
        var check = Plain(await _scene.PropertyAsync("LastCheck"));
        Assert.Equal(("available", "1.1"), (check["Verdict"], check["Version"]));
        Assert.Equal("idle", await _scene.PropertyAsync("UpdateState"));
    }

    [Fact]
    public async Task InstallStream_ReadsTheBundleFromADescriptor()
    {
        using var bundle = File.OpenHandle(await _worker.ExportAsync());

        await StartAsync("InstallStream", "ha{sv}", bundle, Options(("reboot", "b", false)));

        Assert.Equal("done", (await SignalAsync("JobRemoved")).Arguments[1]);
        Assert.Equal(SlotState.Trial, (await _worker.SlotBAsync()).State);
    }

    [Fact]
    public async Task AJobThatFailsAtOnce_HasComeBeforeItGoes()
    {
        await StartAsync("Install", "sa{sv}", "/nowhere", Options());

        var removed = await SignalAsync("JobRemoved");

        Assert.Equal("failed", removed.Arguments[1]);
        Assert.Contains("/nowhere", (string)removed.Arguments[2], StringComparison.Ordinal);
        var members = _signals.Select(signal => signal.Member).ToList();
        Assert.True(members.IndexOf("JobNew") < members.IndexOf("JobRemoved"));
    }

    [Fact]
    public async Task Cancel_StopsTheJob_AndASecondRequestIsRefusedMeanwhile()
    {
        await _worker.PublishAsync();
        _worker.Hook("pre-install.d", "sleep 600");
        var path = await StartAsync("Install", "sa{sv}", _worker.Publisher.Repository, Options());

        Assert.Equal(new ObjectPath(path), await _scene.PropertyAsync("CurrentJob"));
        Assert.Equal(path, await StartAsync("Install", "sa{sv}", _worker.Publisher.Repository, Options(("by", "s", "bob"))));
        var other = await Assert.ThrowsAsync<BusException>(() => StartAsync("Install", "sa{sv}", "/elsewhere", Options()));
        Assert.Equal(BusErrors.Refused, other.Name);
        Assert.StartsWith("Job 1 (install) is under way.", other.Text, StringComparison.Ordinal);

        await CallAsync("Cancel");

        Assert.Equal([new ObjectPath(path), "cancelled", "stopped"], (await SignalAsync("JobRemoved")).Arguments);
        Assert.Equal(BusErrors.Refused, (await Assert.ThrowsAsync<BusException>(() => CallAsync("Cancel"))).Name);
    }

    [Theory]
    [InlineData("colour", "s", "There is no option colour.")]
    [InlineData("force", "s", "The option force takes a yes or no (D-Bus type b).")]
    [InlineData("channel", "b", "The option channel takes text (D-Bus type s).")]
    public async Task AnOptionThatIsWrong_IsRefused(string name, string type, string expected)
    {
        var error = await Assert.ThrowsAsync<BusException>(() => StartAsync("Check", "a{sv}", Options((name, type, type == "s" ? "x" : true))));

        Assert.Equal(BusErrors.Refused, error.Name);
        Assert.StartsWith(expected, error.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatCannotBe_IsRefused_AndAnswered()
    {
        Assert.Equal(BusErrors.Refused, (await Assert.ThrowsAsync<BusException>(() => CallAsync("ClearFailed", "s", "1.1"))).Name);
        Assert.Contains("no slot", (await Assert.ThrowsAsync<BusException>(() => CallAsync("MarkBad", "s", "c"))).Text, StringComparison.Ordinal);
        var rollback = await Assert.ThrowsAsync<BusException>(() => CallAsync("Rollback", "b", false));
        Assert.Equal(BusErrors.Refused, rollback.Name);
        Assert.Contains("nothing that boots", rollback.Text, StringComparison.Ordinal);
        Assert.Empty((List<object>)await _scene.PropertyAsync("FailedVersions"));
        Assert.Empty((List<object>)await _scene.PropertyAsync("History"));
    }

    [Fact]
    public async Task MarkBad_IsRemembered_AndClearFailedForgets()
    {
        await _worker.PublishAsync();
        await StartAsync("Install", "sa{sv}", _worker.Publisher.Repository, Options(("reboot", "b", false)));
        await SignalAsync("JobRemoved");

        await CallAsync("MarkBad", "s", "b");

        var failed = Plain(Assert.Single((List<object>)await _scene.PropertyAsync("FailedVersions")));
        Assert.Equal(("1.1", "an operator marked it bad"), (failed["Version"], failed["Reason"]));
        Assert.Equal(SlotState.Bad, (await _worker.SlotBAsync()).State);
        Assert.Equal("idle", await _scene.PropertyAsync("UpdateState"));

        await CallAsync("ClearFailed", "s", "1.1");

        Assert.Empty((List<object>)await _scene.PropertyAsync("FailedVersions"));
    }

    [Fact]
    public async Task MarkGood_MakesTheBootGood_AndThatIsAnnounced()
    {
        Assert.Equal(("trial", 2), (await _scene.PropertyAsync("BootState"), await _scene.PropertyAsync("TriesLeft")));

        await CallAsync("MarkGood");

        Assert.Equal(("good", -1), (await _scene.PropertyAsync("BootState"), await _scene.PropertyAsync("TriesLeft")));
        await Eventually.IsTrueAsync(() => _signals.Any(signal => signal.Member == "PropertiesChanged" && ((Dictionary<object, object>)signal.Arguments[1]).TryGetValue("BootState", out var state) && ((Variant)state).Value is "good"), "the announcement");
    }

    [Fact]
    public async Task Introspection_ListsEveryMember_AndTheDocumentationDoes()
    {
        var path = await StartAsync("Check", "a{sv}", Options(("source", "s", "/nowhere")));
        await SignalAsync("JobRemoved");
        var documentation = await File.ReadAllTextAsync(Path.Combine(Repository.Folder, "docs", "dbus.md"), Token);

        var own = await MembersAsync(SupervisorObject.Path, SupervisorObject.Name);
        var job = await MembersAsync(path, JobObjects.Interface);

        Assert.Superset(new HashSet<string> { "Check", "Install", "InstallStream", "Cancel", "Reboot", "Rollback", "MarkGood", "MarkBad", "ClearFailed", "JobNew", "JobRemoved", "UpdateState", "Slots", "NextCheck", "Health" }, own.Keys.ToHashSet());
        foreach (var (name, signature) in own.Concat(job))
        {
            var row = documentation.Split('\n').FirstOrDefault(line => line.StartsWith('|') && line.Split('|')[1].Contains($"`{name}`", StringComparison.Ordinal) && line.Split('|')[2].Trim() == signature);
            Assert.True(row is not null, $"docs/dbus.md has no row for {name} with {signature}");
        }
    }

    /// <summary>Every member of an interface, with its types as the documentation writes them: in → out.</summary>
    private async Task<Dictionary<string, string>> MembersAsync(string path, string @interface)
    {
        var xml = (string)(await _scene.Client.CallAsync(SupervisorObject.Name, path, "org.freedesktop.DBus.Introspectable", "Introspect"))[0];
        var description = XDocument.Parse(xml[xml.IndexOf("<node", StringComparison.Ordinal)..]).Root!.Elements("interface").Single(element => (string?)element.Attribute("name") == @interface);
        return description.Elements().Where(element => element.Name != "annotation").ToDictionary(element => (string)element.Attribute("name")!, element => element.Name.LocalName switch
        {
            "property" => (string)element.Attribute("type")!,
            "signal" => Types(element, null),
            _ => $"{Types(element, "in")} → {Types(element, "out")}".Trim(),
        });

        static string Types(XElement member, string? direction) => string.Concat(member.Elements("arg").Where(arg => direction is null || (string?)arg.Attribute("direction") == direction).Select(arg => (string)arg.Attribute("type")!));
    }

    private async Task<string> StartAsync(string method, string signature, params object[] arguments) => ((ObjectPath)(await CallAsync(method, signature, arguments))[0]).Value;

    private Task<IReadOnlyList<object>> CallAsync(string method, string signature = "", params object[] arguments) =>
        _scene.Client.CallAsync(SupervisorObject.Name, SupervisorObject.Path, SupervisorObject.Name, method, signature, arguments).WaitAsync(Soon, Token);

    private async Task<BusSignal> SignalAsync(string member)
    {
        await Eventually.IsTrueAsync(() => _signals.Any(signal => signal.Member == member), member);
        return _signals.First(signal => signal.Member == member);
    }

    private async Task<Dictionary<string, object>> GetAllAsync(string path, string @interface) =>
        Plain((await _scene.Client.CallAsync(SupervisorObject.Name, path, "org.freedesktop.DBus.Properties", "GetAll", "s", @interface))[0]);

    private static Dictionary<string, object> Plain(object bag) => ((Dictionary<object, object>)bag).ToDictionary(member => (string)member.Key, member => ((Variant)member.Value).Value);

    private static Dictionary<object, object> Options(params (string Name, string Type, object Value)[] options) => options.ToDictionary(option => (object)option.Name, option => (object)new Variant(option.Type, option.Value));
}
