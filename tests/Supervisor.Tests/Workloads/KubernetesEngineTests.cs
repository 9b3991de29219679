using System.Formats.Tar;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Workloads;
using Appliance.Supervisor.Workloads.Kubernetes;

namespace Supervisor.Tests.Workloads;

/// <summary>Releases on a real Kubernetes node: its API, controllers, scheduler, kubelet and containers.</summary>
public sealed class KubernetesEngineTests(KubernetesNode node) : IClassFixture<KubernetesNode>, IAsyncLifetime
{
    private static readonly ReleaseTiming Timing = new() { Timeout = TimeSpan.FromMinutes(4), Dwell = TimeSpan.FromSeconds(2), Grace = TimeSpan.FromSeconds(5), Interval = TimeSpan.FromMilliseconds(500) };
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("releases");
    private readonly string _space = $"space-{Guid.NewGuid():N}"[..20];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private WorkloadStore Store => new(_folder.FullName);
    private KubernetesEngine Engine => new(node.Api, TimeProvider.System);

    public async ValueTask InitializeAsync() => await node.ReadyAsync();

    public ValueTask DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    private JsonObject Space() => Parse("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"SPACE"}}""");

    private JsonObject Words(string name, string text) => Parse("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME","namespace":"SPACE"},"data":{"text":"TEXT"}}""", ("NAME", name), ("TEXT", text));

    private JsonObject Deployment(string command, string image = KubernetesNode.Image) => Parse("""
        {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"SPACE"},"spec":{"selector":{"matchLabels":{"app":"web"}},
         "template":{"metadata":{"labels":{"app":"web"}},"spec":{"hostNetwork":true,"automountServiceAccountToken":false,"terminationGracePeriodSeconds":0,
          "containers":[{"name":"web","image":"IMAGE","imagePullPolicy":"Never","command":["/bin/busybox","sh","-c","COMMAND"]}]}}}}
        """, ("IMAGE", image), ("COMMAND", command));

    private JsonObject Job(string command) => Parse("""
        {"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"migrate","namespace":"SPACE"},"spec":{"template":{"spec":{"hostNetwork":true,"automountServiceAccountToken":false,"restartPolicy":"Never",
          "containers":[{"name":"migrate","image":"IMAGE","imagePullPolicy":"Never","command":["/bin/busybox","sh","-c","COMMAND"]}]}}}}
        """, ("IMAGE", KubernetesNode.Image), ("COMMAND", command));

    /// <summary>An object, with words replaced; SPACE is this test's namespace.</summary>
    private JsonObject Parse(string text, params (string Word, string Value)[] words) =>
        JsonNode.Parse(words.Aggregate(text, (text, word) => text.Replace(word.Word, word.Value, StringComparison.Ordinal)).Replace("SPACE", _space, StringComparison.Ordinal))!.AsObject();

    private WorkloadRelease Put(string version, params JsonObject[] objects)
    {
        var release = new WorkloadRelease { Format = 1, Id = "shop", Version = version, Architecture = "amd64", Images = [], Objects = objects };
        var path = Store.PayloadOf(version);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var tar = new TarWriter(File.Create(path));
        tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, WorkloadRelease.MemberName) { DataStream = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(release, WorkloadJson.Default.WorkloadRelease)) });
        return release;
    }

    private Task<ReleaseEvent> ApplyAsync(string version, ReleaseTiming? timing = null) => new ReleaseTransaction(Store, Engine, timing ?? Timing, TimeProvider.System).ApplyAsync(version, false, Token, Token);

    private async Task AppliedAsync(string version, params JsonObject[] objects)
    {
        Put(version, objects);
        var ended = await ApplyAsync(version);
        Assert.True(ended.Outcome == ReleaseTransaction.Applied, ended.Detail);
    }

    private Task<JsonObject?> FindAsync(string kind, string name) => node.Api.FindAsync(new ObjectIdentity(kind is "Deployment" ? "apps/v1" : "v1", kind, _space, name), Token);

    private async Task<string?> CommandAsync() => (string?)(await FindAsync("Deployment", "web"))!["spec"]!["template"]!["spec"]!["containers"]![0]!["command"]![3];

    [Fact(Explicit = true)]
    public async Task ARelease_IsApplied_Updated_AndWhatItHasNoLongerIsDeleted_ButNoData()
    {
        await AppliedAsync("1", Deployment("sleep 9001"), Words("old", "a"), Words("both", "a"), Space());
        Assert.Equal("shop", (string?)(await FindAsync("ConfigMap", "old"))!["metadata"]!["labels"]![KubernetesEngine.WorkloadLabel]);

        await AppliedAsync("2", Deployment("sleep 9002"), Words("both", "b"));

        Assert.Null(await FindAsync("ConfigMap", "old"));
        Assert.Equal("b", (string?)(await FindAsync("ConfigMap", "both"))!["data"]!["text"]);
        Assert.Equal("sleep 9002", await CommandAsync());
        Assert.Contains($"Namespace {_space}: it holds data", Store.Read().History[^1].Detail, StringComparison.Ordinal);
        Assert.All(await Engine.ReadStatusAsync(await Store.ReadReleaseAsync("2", Token), Token), found => Assert.Equal(ReadinessState.Ready, found.Readiness.State));
    }

    [Fact(Explicit = true)]
    public async Task AnImageThatIsNotThere_BringsTheOldReleaseBack()
    {
        await AppliedAsync("1", Space(), Deployment("sleep 9001"), Words("words", "a"));
        Put("2", Space(), Deployment("sleep 9002", image: "localhost/nothing:1"), Words("words", "b"), Words("new", "b"));

        var ended = await ApplyAsync("2");

        Assert.Equal(ReleaseTransaction.Reverted, ended.Outcome);
        Assert.Contains("localhost/nothing:1", ended.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("not ready either", ended.Detail, StringComparison.Ordinal);
        Assert.Equal("sleep 9001", await CommandAsync());
        Assert.Equal("a", (string?)(await FindAsync("ConfigMap", "words"))!["data"]!["text"]);
        Assert.Null(await FindAsync("ConfigMap", "new"));
    }

    [Fact(Explicit = true)]
    public async Task ACrashLoop_BringsTheOldReleaseBack_WhenItsTimeIsOver()
    {
        await AppliedAsync("1", Space(), Deployment("sleep 9001"));
        Put("2", Space(), Deployment("exit 7"));

        var ended = await ApplyAsync("2", Timing with { Timeout = TimeSpan.FromSeconds(45) });

        Assert.Equal(ReleaseTransaction.Reverted, ended.Outcome);
        Assert.Matches("back-off|exit code 7", ended.Detail);
        Assert.Equal("sleep 9001", await CommandAsync());
    }

    [Fact(Explicit = true)]
    public async Task AFieldThatSomebodyElseManages_IsRefusedBeforeAnythingChanges()
    {
        await AppliedAsync("1", Space(), Deployment("sleep 9001"), Words("words", "a"));
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "other.json"), Words("words", "theirs").ToJsonString(), Token);
        node.Kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=somebody", "-f", Path.Combine(_folder.FullName, "other.json"));
        Put("2", Space(), Deployment("sleep 9002"), Words("words", "b"));

        var error = await Assert.ThrowsAsync<UserError>(() => ApplyAsync("2"));

        Assert.Contains("somebody", error.Message, StringComparison.Ordinal);
        Assert.Contains("nothing was changed", error.Message, StringComparison.Ordinal);
        Assert.Equal("sleep 9001", await CommandAsync());
        // What is brought back comes back all the same.
        await Engine.ApplyAsync(await Store.ReadReleaseAsync("1", Token), force: true, Token);
        Assert.Equal("a", (string?)(await FindAsync("ConfigMap", "words"))!["data"]!["text"]);
    }

    [Fact(Explicit = true)]
    public async Task AnApiServerThatIsRestartedInTheMiddle_IsWaitedFor()
    {
        Put("1", [Space(), Deployment("sleep 9001"), .. Enumerable.Range(0, 40).Select(i => Words($"words-{i}", "a"))]);
        var applying = ApplyAsync("1");
        while (await FindAsync("ConfigMap", "words-3") is null) await Task.Delay(20, Token);
        await node.RestartApiServerAsync();

        Assert.Equal(ReleaseTransaction.Applied, (await applying).Outcome);
        Assert.NotNull(await FindAsync("ConfigMap", "words-39"));
    }

    [Fact(Explicit = true)]
    public async Task AJob_RunsOnceARelease_AndItsFailureIsTheReleases()
    {
        await AppliedAsync("1", Space(), Job("exit 0"));
        await AppliedAsync("2", Space(), Job("sleep 1"));
        var failing = Job("exit 3");
        failing["spec"]!["backoffLimit"] = 0;
        Put("3", Space(), failing);

        var ended = await ApplyAsync("3");

        Assert.Equal(ReleaseTransaction.Reverted, ended.Outcome);
        Assert.Contains($"Job {_space}/migrate", ended.Detail, StringComparison.Ordinal);
        Assert.Equal("2", Store.Read().Current);
    }

    [Fact(Explicit = true)]
    public async Task ADefinition_AndObjectsOfIt_ComeInOneRelease()
    {
        var group = $"{_space}.example.org";
        var definition = Parse("""
            {"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"things.GROUP"},
             "spec":{"group":"GROUP","scope":"Namespaced","names":{"plural":"things","singular":"thing","kind":"Thing"},
              "versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"size":{"type":"integer"}}}}}]}}
            """, ("GROUP", group));
        await AppliedAsync("1", Parse("""{"apiVersion":"GROUP/v1","kind":"Thing","metadata":{"name":"one","namespace":"SPACE"},"size":1}""", ("GROUP", group)), definition, Space());

        Assert.NotNull(await node.Api.FindAsync(new ObjectIdentity($"{group}/v1", "Thing", _space, "one"), Token));
    }

    [Fact(Explicit = true)]
    public async Task WhatIsInvalid_IsSaidForEveryObject_AndNothingIsMade()
    {
        await AppliedAsync("1", Space());
        var (one, other) = (Words("good", "a"), Words("Not-A-Name", "a"));
        var misspelt = Deployment("sleep 1");
        misspelt["spec"]!["replicaz"] = 2;
        var unknown = Parse("""{"apiVersion":"nowhere.example/v1","kind":"Ghost","metadata":{"name":"x","namespace":"SPACE"}}""");
        Put("2", Space(), one, other, unknown, misspelt);

        var error = await Assert.ThrowsAsync<UserError>(() => ApplyAsync("2"));

        Assert.Contains("Not-A-Name", error.Message, StringComparison.Ordinal);
        Assert.Contains("Ghost", error.Message, StringComparison.Ordinal);
        Assert.Contains("replicaz", error.Message, StringComparison.Ordinal);
        Assert.Null(await FindAsync("ConfigMap", "good"));
    }

    [Fact(Explicit = true)]
    public async Task AStatefulSet_ComesBack_ThoughItWaitsForItsBrokenPod()
    {
        JsonObject Set(string command)
        {
            var set = Deployment(command);
            set["kind"] = "StatefulSet";
            set["spec"]!["serviceName"] = "web";
            return set;
        }
        await AppliedAsync("1", Space(), Set("sleep 9001"));
        Put("2", Space(), Set("exit 7"));

        var ended = await ApplyAsync("2", Timing with { Timeout = TimeSpan.FromSeconds(45) });

        Assert.Equal(ReleaseTransaction.Reverted, ended.Outcome);
        Assert.DoesNotContain("not ready either", ended.Detail, StringComparison.Ordinal);
    }

    [Fact(Explicit = true)]
    public async Task AFixOfABrokenRelease_IsNotJudgedByTheBrokenPods()
    {
        await AppliedAsync("1", Space(), Deployment("sleep 9001"));
        // Broken by hand, as a release that degrades later is.
        await Engine.ApplyAsync(Put("broken", Space(), Deployment("sleep 9001", image: "localhost/nothing:1")), force: true, Token);
        await Task.Delay(TimeSpan.FromSeconds(5), Token);

        await AppliedAsync("2", Space(), Deployment("sleep 9002"));

        Assert.Equal("sleep 9002", await CommandAsync());
    }

    [Fact(Explicit = true)]
    public async Task WhatIsThereAlready_IsNotTakenOver()
    {
        await AppliedAsync("1", Space());
        node.Kubectl("create", "configmap", "theirs", "--namespace", _space, "--from-literal=a=b");
        Put("2", Space(), Words("theirs", "ours"));

        Assert.Contains("not this workload's", (await Assert.ThrowsAsync<UserError>(() => ApplyAsync("2"))).Message, StringComparison.Ordinal);

        node.Kubectl("label", "configmap", "theirs", "--namespace", _space, $"{KubernetesEngine.WorkloadLabel}=shop");
        Assert.Equal(ReleaseTransaction.Applied, (await ApplyAsync("2")).Outcome);
    }

    [Fact(Explicit = true)]
    public async Task WhatIsSomebodyElses_IsNotDeleted()
    {
        await AppliedAsync("1", Space(), Words("mine", "a"));
        node.Kubectl("label", "configmap", "mine", "--namespace", _space, "--overwrite", $"{KubernetesEngine.WorkloadLabel}=other");

        await AppliedAsync("2", Space());

        Assert.NotNull(await FindAsync("ConfigMap", "mine"));
        Assert.Contains("somebody else's", Store.Read().History[^1].Detail, StringComparison.Ordinal);
    }
}
