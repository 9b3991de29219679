using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Systemd;
using Appliance.Supervisor.Workloads;
using Appliance.Supervisor.Workloads.Podman;

namespace Supervisor.Tests.Workloads.Podman;

/// <summary>What podman is given of a release, and how its answers are read. Podman and systemd themselves are in the system tests.</summary>
public sealed class PodmanUnitsTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

    private const string Web = """{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"server","image":"i","envFrom":[{"configMapRef":{"name":"words"}}]}],"volumes":[{"name":"s","secret":{"secretName":"key"}},{"name":"d","persistentVolumeClaim":{"claimName":"data"}}]}}}}""";
    private const string Job = """{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"once"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"i"}]}}}}""";
    private const string Words = """{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"words"},"data":{"hello":"world"}}""";
    private const string Key = """{"apiVersion":"v1","kind":"Secret","metadata":{"name":"key"},"stringData":{"password":"xyzzy"}}""";
    private const string Claim = """{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data"}}""";
    private const string Other = """{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"other"},"data":{"hello":"moon"}}""";

    private static WorkloadRelease Release(params IEnumerable<string> objects) =>
        new() { Format = 1, Id = "shop", Version = "1", Architecture = "amd64", Images = [], Objects = [.. objects.Select(text => (JsonObject)JsonNode.Parse(text)!)] };

    private static string Refusal(params IEnumerable<string> objects) => Assert.Throws<UserError>(() => PodmanUnits.Of(Release(objects))).Message;

    [Fact]
    public void TheImage_LetsSystemdFindUnits_WhereTheyAreWritten() =>
        Assert.Equal(new PodmanOptions().UnitFolder, new FileInfo(Path.Combine(Repository.Folder, "image/overlays/podman/usr/share/containers/systemd")).LinkTarget);

    [Fact]
    public void AUnit_HasWhatItsPodRefersTo_AndNothingElse()
    {
        var unit = Assert.Single(PodmanUnits.Of(Release(Other, Words, Claim, Key, Web)));

        Assert.Equal(("appliance:shop:deployment:web.service", "web-pod"), (unit.Service, unit.Pod));
        var documents = unit.Yaml.Split("\n---\n").Select(text => (JsonObject)JsonNode.Parse(text)!).ToList();
        var names = documents.ConvertAll(document => (string)document["metadata"]!["name"]!);
        Assert.Equal(["data", "web"], names[2..]);
        Assert.Equal(names[..2], unit.Given);
        Assert.Matches("^appliance-shop-words-[0-9a-f]{16}$", names[0]);
        Assert.Matches("^appliance-shop-key-[0-9a-f]{16}$", names[1]);
        var spec = documents[^1]["spec"]!["template"]!["spec"]!;
        Assert.Equal((names[0], names[1], "data"), ((string?)spec["containers"]![0]!["envFrom"]![0]!["configMapRef"]!["name"], (string?)spec["volumes"]![0]!["secret"]!["secretName"], (string?)spec["volumes"]![1]!["persistentVolumeClaim"]!["claimName"]));
        Assert.Equal("shop", (string?)documents[2]["metadata"]!["labels"]!["appliance.io/workload"]); // whose data it is
        var labels = documents[^1]["spec"]!["template"]!["metadata"]!["labels"]!;
        Assert.Equal(("shop", unit.Name, unit.Content), ((string?)labels["appliance.io/workload"], (string?)labels["appliance.io/unit"], (string?)labels["appliance.io/content"]));
        Assert.Contains("\nYaml=appliance:shop:deployment:web.yaml\n", unit.Kube, StringComparison.Ordinal);
        Assert.Contains("\nWantedBy=multi-user.target\n", unit.Kube, StringComparison.Ordinal);
        Assert.Contains("\nRestart=on-failure\nRestartSec=45\n", unit.Kube, StringComparison.Ordinal);
        Assert.DoesNotContain("xyzzy", unit.Kube, StringComparison.Ordinal);
    }

    [Fact]
    public void TheContent_ChangesWithWhatAPodRefersTo_AndWithNothingElse()
    {
        var before = PodmanUnits.Of(Release(Web, Words, Other))[0].Content;

        Assert.Equal(before, PodmanUnits.Of(Release(Web, Words, Other.Replace("moon", "mars", StringComparison.Ordinal)))[0].Content);
        Assert.NotEqual(before, PodmanUnits.Of(Release(Web, Words.Replace("world", "mars", StringComparison.Ordinal), Other))[0].Content);
        Assert.NotEqual(before, PodmanUnits.Of(Release(Web.Replace("\"image\":\"i\"", "\"image\":\"j\"", StringComparison.Ordinal), Words))[0].Content);
    }

    [Fact]
    public void WhatComesToAnEnd_IsNotStartedAgain()
    {
        var unit = Assert.Single(PodmanUnits.Of(Release(Job)));

        Assert.True(unit.Ends);
        Assert.Contains($"\nConditionPathExists=!%S/appliance/containers/systemd/{unit.DoneName}\n", unit.Kube, StringComparison.Ordinal);
        Assert.Contains("\nRemainAfterExit=yes\n", unit.Kube, StringComparison.Ordinal);
        Assert.DoesNotContain("Restart=", unit.Kube, StringComparison.Ordinal);
        // As a pod: podman 5.4 panics at jobs.
        var pod = JsonNode.Parse(unit.Yaml)!;
        Assert.Equal(("Pod", unit.Pod, "Never"), ((string?)pod["kind"], (string?)pod["metadata"]!["name"], (string?)pod["spec"]!["restartPolicy"]));
        Assert.Equal(unit.Content, (string?)pod["metadata"]!["labels"]![PodmanUnits.ContentLabel]);
    }

    [Fact]
    public void WhatPodmanCannotRun_IsSaidAtOnce()
    {
        var service = """{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"}}""";
        var message = Refusal(service, Web.Replace("\"replicas\":1", "\"replicas\":3", StringComparison.Ordinal), """{"apiVersion":"v1","kind":"Pod","metadata":{"name":"empty"},"spec":{}}""");

        Assert.Contains("Service web: podman knows no such objects", message, StringComparison.Ordinal);
        Assert.Contains("podman runs one replica, and it asks for 3", message, StringComparison.Ordinal);
        Assert.Contains("Pod empty: it has no containers", message, StringComparison.Ordinal);
    }

    [Fact]
    public void ObjectsForKubernetesAlone_ArePassedOver()
    {
        var service = """{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","annotations":{"appliance.io/engine":"k3s"}}}""";

        Assert.Single(PodmanUnits.Of(Release(service, Web)));
    }

    [Fact]
    public void TwoPodsOfOneName_AreRefused()
    {
        Assert.Contains("podman calls the pods of both web-pod", Refusal(Web, Web.Replace("Deployment", "DaemonSet", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("podman knows no namespaces", Refusal(Web, Words, Words.Replace("\"name\":\"words\"", "\"name\":\"words\",\"namespace\":\"a\"", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    /// <summary>As podman 5.4.2 prints it (podman ps --all --format json), shortened.</summary>
    private static string Listed(PodmanUnit unit, string container, string state = "running", string status = "Up 6 seconds", int exitCode = 0, int restarts = 0, int secondsAgo = 60, string? content = null) => $$"""
        [{"AutoRemove":false,"Exited":false,"ExitedAt":-62135596800,"ExitCode":0,"Id":"ee5f","IsInfra":true,"Labels":{"io.buildah.version":"1.39.3"},"Names":["4393b5c71110-infra"],"Restarts":0,"StartedAt":1795839001,"State":"running","Status":"Up 6 seconds"},
         {"AutoRemove":false,"Exited":false,"ExitedAt":-62135596800,"ExitCode":{{exitCode}},"Id":"9dca","IsInfra":false,"Labels":{"appliance.io/workload":"shop","appliance.io/unit":"{{unit.Name}}","appliance.io/content":"{{content ?? unit.Content}}"},"Names":["{{unit.Pod}}-{{container}}"],"Restarts":{{restarts}},"StartedAt":{{(Now - TimeSpan.FromSeconds(secondsAgo)).ToUnixTimeSeconds()}},"State":"{{state}}","Status":"{{status}}"}]
        """;

    private static Readiness Judge(PodmanUnit unit, string listed, string active = "active", string sub = "running", string load = "loaded") =>
        PodmanReadiness.Of(unit, new ManagedUnit(unit.Service, "", load, active, sub), PodmanContainer.Parse(System.Text.Encoding.UTF8.GetBytes(listed)), Now);

    [Fact]
    public void AContainerThatRuns_IsReady_AndOtherwiseTheReasonIsSaid()
    {
        var unit = PodmanUnits.Of(Release(Web))[0];

        Assert.Equal(Readiness.Ready("1 of 1 containers run"), Judge(unit, Listed(unit, "server")));
        Assert.Equal(Readiness.Failed("server: its health check fails"), Judge(unit, Listed(unit, "server", status: "Up 2 minutes (unhealthy)")));
        Assert.Equal(Readiness.Waiting("server: its health check has not passed yet"), Judge(unit, Listed(unit, "server", status: "Up 2 seconds (starting)")));
        Assert.Equal(Readiness.Ready("1 of 1 containers run"), Judge(unit, Listed(unit, "server", status: "Up 2 minutes (healthy)")));
        Assert.Equal(Readiness.Waiting("the old one still runs"), Judge(unit, Listed(unit, "server", content: "0123")));
        Assert.Equal(Readiness.Waiting("server: it is not there yet"), Judge(unit, Listed(unit, "other")));
        Assert.Equal(ReadinessState.Failed, Judge(unit, "[]", "activating", "auto-restart").State);
        Assert.Equal(ReadinessState.Failed, Judge(unit, "[]", load: "not-found").State);
        Assert.Equal(ReadinessState.InProgress, Judge(unit, "[]", "activating", "start").State);
    }

    [Fact]
    public void ACrashLoop_IsAFailure_AndWhatHasSettledIsNot()
    {
        var unit = PodmanUnits.Of(Release(Web))[0];

        Assert.Equal(ReadinessState.InProgress, Judge(unit, Listed(unit, "server", restarts: 2, secondsAgo: 3)).State);
        Assert.Equal(Readiness.Failed("server: it was started again 7 times; it ends with exit code 3"), Judge(unit, Listed(unit, "server", "exited", exitCode: 3, restarts: 7, secondsAgo: 3)));
        Assert.Equal(ReadinessState.Ready, Judge(unit, Listed(unit, "server", restarts: 7, secondsAgo: 40)).State);
    }

    [Fact]
    public void AJob_IsReadyWhenItHasEndedWell()
    {
        var unit = PodmanUnits.Of(Release(Job))[0];

        Assert.Equal(ReadinessState.InProgress, Judge(unit, Listed(unit, "main")).State);
        Assert.Equal(Readiness.Ready("completed"), Judge(unit, Listed(unit, "main", "exited")));
        Assert.Equal(Readiness.Failed("main: it ended with exit code 4"), Judge(unit, Listed(unit, "main", "exited", exitCode: 4)));
    }

    [Theory]
    [InlineData("Error: database is locked")]
    [InlineData("{}")]
    [InlineData("[{}]")]
    [InlineData("")]
    public void WhatIsNoList_IsNotReadAsOne(string text) => Assert.Throws<InvalidDataException>(() => PodmanContainer.Parse(System.Text.Encoding.UTF8.GetBytes(text)));
}
