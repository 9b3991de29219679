using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>This device as a node of its cluster: whether it is ready, and how it leaves before a restart and comes back.</summary>
/// <param name="api">The API.</param>
/// <param name="name">The node's name.</param>
/// <param name="time">Clock.</param>
internal sealed class ClusterNode(KubernetesApi api, string name, TimeProvider time)
{
    /// <summary>Our fields of the node (server-side apply): given up, they are as others have them.</summary>
    private const string Manager = "appliance-restart";

    private const string KubeletCertificate = "/var/lib/rancher/k3s/agent/client-kubelet.crt", NodeUser = "system:node:";
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private ObjectIdentity Identity => new("v1", "Node", null, name);

    /// <summary>The name that k3s has registered this device by: its kubelet's certificate has it.</summary>
    public static string NameOfThis()
    {
        try
        {
            using var certificate = X509CertificateLoader.LoadCertificateFromFile(KubeletCertificate);
            var user = certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
            if (user.StartsWith(NodeUser, StringComparison.Ordinal)) return user[NodeUser.Length..];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            // Not registered yet, or being written anew.
        }
        return Environment.MachineName.ToLowerInvariant();
    }

    /// <summary>Whether it takes pods.</summary>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <param name="since">What the kubelet said before is not believed: the API has it still while k3s starts anew. Null for whatever it said last.</param>
    public async Task<Readiness> ReadAsync(CancellationToken cancellationToken, DateTimeOffset? since = null) =>
        await api.FindAsync(Identity, cancellationToken) is { } found ? Judge(name, new LiveObject(found), since) : Readiness.Waiting($"the cluster has no node {name} yet");

    /// <summary>A kubelet says at once how it is when it starts, and then every few minutes, or when that changes.</summary>
    internal static Readiness Judge(string name, LiveObject node, DateTimeOffset? since)
    {
        if (node.FindCondition("Ready") is not { } ready) return Readiness.Waiting($"node {name} is not ready: it has not said anything yet");
        if (!ready.IsTrue) return Readiness.Waiting($"node {name} is not ready: {ready.Say("it does not say why")}");
        // The API has whole seconds.
        return since is { } start && !(ready.SaidAt >= start.AddTicks(-(start.Ticks % TimeSpan.TicksPerSecond))) ? Readiness.Waiting($"node {name} has said nothing since its kubelet started") : Readiness.Ready($"node {name} is ready");
    }

    /// <summary>
    /// Sends the pods to other nodes (Eviction API, so disruption budgets hold) and lets none come. A node that is alone keeps
    /// them: the kubelet ends them in order when the machine goes down, and nobody else could run them.
    /// </summary>
    /// <param name="limit">Longest that they are waited for.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The pods that are still here; null when the node is alone and none was asked to leave.</returns>
    /// <exception cref="KubernetesError">The cluster refuses.</exception>
    public async Task<IReadOnlyList<string>?> DrainAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        var nodes = (await api.ListAsync("v1", "Node", null, "", cancellationToken)).Select(node => new LiveObject(node)).ToList();
        if (nodes.TrueForAll(node => node.Text("metadata", "name") != name) || !nodes.Exists(node => node.Text("metadata", "name") != name && TakesPods(node))) return null;
        await api.ApplyAsync(Own(new JsonObject { ["unschedulable"] = true }), Manager, dryRun: false, force: true, cancellationToken);
        var start = time.GetTimestamp();
        while (true)
        {
            var pods = await LeavingPodsAsync(cancellationToken);
            foreach (var pod in pods.Where(pod => !pod.Has("metadata", "deletionTimestamp"))) await EvictAsync(pod, cancellationToken);
            if (pods.Count == 0 || time.GetElapsedTime(start) >= limit) return [.. pods.Select(pod => $"{pod.Text("metadata", "namespace")}/{pod.Text("metadata", "name")}")];
            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    /// <summary>Takes pods again, as far as we were the ones who did not. Whoever else has cordoned it still does.</summary>
    public async Task UncordonAsync(CancellationToken cancellationToken)
    {
        // Applied without the field: what we had of it goes. A node that is not there must not be made.
        if (await api.FindAsync(Identity, cancellationToken) is { } found && new LiveObject(found).List("metadata", "managedFields").Any(fields => fields.Text("manager") == Manager))
            await api.ApplyAsync(Own(null), Manager, dryRun: false, force: true, cancellationToken);
    }

    private JsonObject Own(JsonObject? spec)
    {
        var node = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["metadata"] = new JsonObject { ["name"] = name } };
        if (spec is not null) node["spec"] = spec;
        return node;
    }

    private static bool TakesPods(LiveObject node) => node.FindCondition("Ready") is { IsTrue: true } && !node.Is("spec", "unschedulable");

    /// <summary>What would run elsewhere: it is not over, and something makes it anew there. So no daemon set's, no static one, none that stands alone.</summary>
    private async Task<IReadOnlyList<LiveObject>> LeavingPodsAsync(CancellationToken cancellationToken) =>
        [.. (await api.ListAsync("v1", "Pod", null, "", cancellationToken, $"spec.nodeName={name}")).Select(pod => new LiveObject(pod)).Where(pod =>
            pod.Text("status", "phase") is not ("Succeeded" or "Failed")
            && pod.List("metadata", "ownerReferences").Any(owner => owner.Is("controller") && owner.Text("kind") != "DaemonSet"))];

    private async Task EvictAsync(LiveObject pod, CancellationToken cancellationToken)
    {
        try
        {
            await api.EvictAsync(pod.Text("metadata", "namespace")!, pod.Text("metadata", "name")!, cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or KubernetesError)
        {
            // It is gone, or its disruption budget does not let it go now, or nobody does. What stays is told at the end.
        }
    }
}
