using System.Formats.Tar;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Workloads;
using Appliance.Supervisor.Worker;
using Appliance.Supervisor.Workloads;
using Appliance.Supervisor.Workloads.Kubernetes;
using ImageBuilder.Tests.Workloads;
using Supervisor.Tests.Worker;

namespace Supervisor.Tests.Workloads;

/// <summary>Releases on a real Kubernetes node: its API, controllers, scheduler, kubelet and containers.</summary>
public sealed class KubernetesEngineTests(KubernetesNode node) : IClassFixture<KubernetesNode>, IAsyncLifetime
{
    /// <summary>A status by which the scheduler takes a node.</summary>
    private const string ReadyNode = """{"status":{"conditions":[{"type":"Ready","status":"True"}],"capacity":{"cpu":"4","memory":"8Gi","pods":"10"},"allocatable":{"cpu":"4","memory":"8Gi","pods":"10"} } }""";

    private static readonly ReleaseTiming Timing = new() { Timeout = TimeSpan.FromMinutes(4), Dwell = TimeSpan.FromSeconds(2), Grace = TimeSpan.FromSeconds(5), Interval = TimeSpan.FromMilliseconds(500) };
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("releases");
    private readonly string _space = $"space-{Guid.NewGuid():N}"[..20];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private WorkloadStore Store => new(_folder.FullName);
    private KubernetesEngine Engine => new(node.Api, node.Images, TimeProvider.System);

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

    /// <summary>The images come with the release alone, and go with the last one that has them.</summary>
    [Fact(Explicit = true)]
    public async Task ARelease_BringsItsImages_AndItsContainersSayWhatTheyDo()
    {
        await BuildAsync("1");
        var ended = await ApplyAsync("1");
        Assert.True(ended.Outcome == ReleaseTransaction.Applied, ended.Detail);
        var release = await Store.ReadReleaseAsync("1", Token);

        Assert.Contains(await Engine.ReadLogAsync(release, null, 10, Token), line => line.EndsWith("hello 1", StringComparison.Ordinal));
        Assert.Contains("It has: web", (await Assert.ThrowsAsync<UserError>(() => Engine.ReadLogAsync(release, "nothing", 10, Token))).Hint, StringComparison.Ordinal);
        var image = release.Images[0].Pinned;
        Assert.Contains(image, node.Ctr("images", "list", "--quiet"), StringComparison.Ordinal);

        foreach (var version in new[] { "2", "3" })
        {
            await BuildAsync(version);
            Assert.Equal(ReleaseTransaction.Applied, (await ApplyAsync(version)).Outcome);
        }

        var left = node.Ctr("images", "list", "--quiet");
        Assert.DoesNotContain(image, left, StringComparison.Ordinal);
        Assert.All(Store.Versions, version => Assert.Contains(Store.ReadReleaseAsync(version, Token).Result.Images[0].Pinned, left, StringComparison.Ordinal));
    }

    [Fact(Explicit = true)]
    public async Task ANodeThatRestarts_SendsItsPodsToAnother_AndTakesThemBack()
    {
        var here = Here;
        await AppliedAsync("1", Space(), Deployment("sleep 9001"));
        Assert.Equal(ReadinessState.Ready, (await here.ReadAsync(Token)).State);
        Assert.Equal(ReadinessState.Ready, (await here.ReadAsync(Token, System.Diagnostics.Process.GetCurrentProcess().StartTime)).State); // the kubelet was started since
        Assert.Contains("has said nothing since", (await here.ReadAsync(Token, DateTimeOffset.UtcNow.AddHours(1))).Message, StringComparison.Ordinal);
        Assert.Null(await here.DrainAsync(TimeSpan.FromMinutes(1), Token)); // it is alone

        await WithAnotherNodeAsync(async () =>
        {
            // A budget that lets the pod go only when there is another: it never is.
            node.Kubectl("apply", "--filename", node.Write("budget.yaml", Parse("""{"apiVersion":"policy/v1beta1","kind":"PodDisruptionBudget","metadata":{"name":"web","namespace":"SPACE"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"web"} } } }""").ToJsonString()));
            Assert.Contains(await here.DrainAsync(TimeSpan.FromSeconds(10), Token) ?? [], pod => pod.StartsWith($"{_space}/web-", StringComparison.Ordinal));
            Assert.True(await IsUnschedulableAsync());

            node.Kubectl("delete", "poddisruptionbudgets.v1beta1.policy", "web", "--namespace", _space);
            Assert.Equal([], await here.DrainAsync(TimeSpan.FromMinutes(1), Token) ?? ["it says that it is alone"]);
            Assert.Equal("other", NodesOfPods());

            await here.UncordonAsync(Token);
            Assert.False(await IsUnschedulableAsync());
            // What somebody else has cordoned stays so.
            node.PatchStatus("nodes/other", ReadyNode);
            node.Kubectl("cordon", KubernetesNode.Name);
            await here.DrainAsync(TimeSpan.FromSeconds(10), Token);
            await here.UncordonAsync(Token);
            Assert.True(await IsUnschedulableAsync());
        });
    }

    /// <summary>The worker drains before the restart; asked meanwhile, it does not take the node back, but when the restart does not come or is over.</summary>
    [Fact(Explicit = true)]
    public async Task ARestart_DrainsTheNode_AndOneThatDoesNotComeTakesItBack()
    {
        using var bus = new PrivateBus();
        await using var login = new FakeLogin(bus.Address);
        await login.StartAsync();
        await using var scene = new WorkerScene { Node = Here, BusAddress = bus.Address };
        scene.Write("usr/lib/os-release", "IMAGE_ID=\"edge\"\nIMAGE_VERSION=\"1.0\"\nAPPLIANCE_BOARD=\"vm\"\nAPPLIANCE_WORKLOADS=\"k3s\"\n");
        var mark = Path.Combine(scene.Disk.Root, TrialWork.DrainMark);
        await AppliedAsync("1", Space(), Deployment("sleep 9002"));

        await WithAnotherNodeAsync(async () =>
        {
            login.Refuses = true;
            await Assert.ThrowsAsync<WorkerException>(() => AskAsync(scene, WorkerVerb.Reboot));
            Assert.False(File.Exists(mark));
            Assert.False(await IsUnschedulableAsync());

            login.Refuses = false;
            node.PatchStatus("nodes/other", ReadyNode);
            await AskAsync(scene, WorkerVerb.Reboot);
            Assert.Single(login.Restarts);
            Assert.Equal("other", NodesOfPods());
            await AskAsync(scene, WorkerVerb.Node);
            Assert.True(await IsUnschedulableAsync()); // the restart is still to come

            File.Delete(mark); // as /run goes with the restart
            Assert.Equal(ReadinessState.Ready, (await AskAsync(scene, WorkerVerb.Node)).Node!.State);
            Assert.False(await IsUnschedulableAsync());
        });
    }

    private static Task<WorkerResult> AskAsync(WorkerScene scene, WorkerVerb verb) => scene.Client.RunAsync(new WorkerRequest { Verb = verb }, null, null, Token);

    private ClusterNode Here => new(node.Api, KubernetesNode.Name, TimeProvider.System);

    /// <summary>The nodes of this test's pods.</summary>
    private string NodesOfPods() => node.Kubectl("get", "pods", "--namespace", _space, "--selector=app=web", "--output=jsonpath={.items[*].spec.nodeName}").Trim();

    private async Task<bool> IsUnschedulableAsync() => new LiveObject((await node.Api.FindAsync(new ObjectIdentity("v1", "Node", null, KubernetesNode.Name), Token))!).Is("spec", "unschedulable");

    /// <summary>With another node, as far as the API knows; nobody runs what is bound to it.</summary>
    private async Task WithAnotherNodeAsync(Func<Task> work)
    {
        node.Kubectl("apply", "--filename", node.Write("other.yaml", """{"apiVersion":"v1","kind":"Node","metadata":{"name":"other"}}"""));
        try
        {
            node.PatchStatus("nodes/other", ReadyNode);
            await work();
        }
        finally
        {
            node.Kubectl("uncordon", KubernetesNode.Name);
            node.Kubectl("delete", "node", "other");
        }
    }

    private async Task BuildAsync(string version)
    {
        var folder = Path.Combine(_folder.FullName, ".source");
        Directory.CreateDirectory(Path.Combine(folder, "manifests"));
        SomeImage.WriteBusybox(Path.Combine(folder, "web.tar"), "example.org/shop/web:1", ("version", Encoding.UTF8.GetBytes(version)));
        await File.WriteAllTextAsync(Path.Combine(folder, "workload.yaml"), $"id: shop\nversion: \"{version}\"\nimages:\n  - {{name: 'example.org/shop/web:1', archive: web.tar}}\n", Token);
        await File.WriteAllTextAsync(Path.Combine(folder, "manifests", "web.json"), new JsonArray(Space(), Deployment("echo hello $(cat /version); sleep 9001", image: "example.org/shop/web:1")) switch { var items => new JsonObject { ["apiVersion"] = "v1", ["kind"] = "List", ["items"] = items }.ToJsonString() }, Token);
        using var observer = new PlainBuildObserver(TextWriter.Null);
        Directory.CreateDirectory(Path.GetDirectoryName(Store.PayloadOf(version))!);
        await new WorkloadBuild(new() { Folder = folder, CacheFolder = Path.Combine(_folder.FullName, ".cache") }, observer).WritePayloadAsync(Store.PayloadOf(version), Token);
    }
}
