using System.Diagnostics;
using System.Text.Json.Nodes;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Workloads;
using Appliance.Supervisor.Workloads.Kubernetes;

namespace Supervisor.Tests.Workloads;

/// <summary>From apply to ready on a real node, ours against kubectl: for bench/ready.sh, which prints it. Nothing is asserted but that all get ready.</summary>
public sealed class ReadyBenchmark(KubernetesNode node) : IClassFixture<KubernetesNode>
{
    private const int Rounds = 5;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task FromApplyToReady()
    {
        await node.ReadyAsync();
        var (ours, theirs) = (new List<double>(), new List<double>());
        for (var round = 0; round <= Rounds; round++)
        {
            var (own, other) = (await OursAsync($"ours-{round}"), await KubectlAsync($"theirs-{round}"));
            if (round == 0) continue; // both once for the caches
            ours.Add(own);
            theirs.Add(other);
        }
        var (a, b) = (ours.Order().ElementAt(Rounds / 2), theirs.Order().ElementAt(Rounds / 2));
        TestContext.Current.TestOutputHelper!.WriteLine($"from apply to ready, median of {Rounds}: ours {a:0.00} s, kubectl apply and rollout status {b:0.00} s, ours / kubectl {a / b:0.00}");
    }

    private async Task<double> OursAsync(string space)
    {
        var engine = new KubernetesEngine(node.Api, node.Images, TimeProvider.System);
        var release = new WorkloadRelease { Format = 1, Id = "bench", Version = "1", Architecture = "amd64", Images = [], Objects = [.. Objects(space)] };
        var start = Stopwatch.GetTimestamp();
        await engine.CheckAsync(release, Token);
        await engine.ApplyAsync(release, force: false, Token);
        while ((await engine.ReadStatusAsync(release, Token)).Any(found => found.Readiness.State != ReadinessState.Ready)) await Task.Delay(new ReleaseTiming().Interval, Token);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private Task<double> KubectlAsync(string space)
    {
        var file = node.Write($"{space}.json", new JsonObject { ["apiVersion"] = "v1", ["kind"] = "List", ["items"] = new JsonArray([.. Objects(space)]) }.ToJsonString());
        var start = Stopwatch.GetTimestamp();
        node.Kubectl("apply", "--server-side", "--filename", file);
        node.Kubectl("rollout", "status", "deployment/web", "--namespace", space);
        return Task.FromResult(Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private static IEnumerable<JsonObject> Objects(string space)
    {
        yield return JsonNode.Parse($$"""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"{{space}}"} }""")!.AsObject();
        yield return JsonNode.Parse($$"""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"words","namespace":"{{space}}"},"data":{"a":"b"} }""")!.AsObject();
        yield return JsonNode.Parse($$"""
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"{{space}}"},"spec":{"selector":{"matchLabels":{"app":"web"} },
             "template":{"metadata":{"labels":{"app":"web"} },"spec":{"hostNetwork":true,"automountServiceAccountToken":false,"terminationGracePeriodSeconds":0,
              "containers":[{"name":"web","image":"{{KubernetesNode.Image}}","imagePullPolicy":"Never"}]} } } }
            """)!.AsObject();
    }
}
