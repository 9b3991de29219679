using System.Text.Json.Nodes;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>
/// Tells from an object alone whether it is ready: the rules of kstatus (sigs.k8s.io/cli-utils), made strict for a gate. A job
/// must have completed and a pod must not have failed, where kstatus is content with either.
/// </summary>
internal static class ObjectReadiness
{
    /// <summary>A pod may wait for its node this long: kstatus' 15 s are over before the old pod has let go of its port.</summary>
    public static readonly TimeSpan SchedulingGrace = TimeSpan.FromMinutes(2);

    /// <summary>An image may be on its way this long, and a container may fail to start.</summary>
    public static readonly TimeSpan StartGrace = TimeSpan.FromSeconds(60);

    /// <summary>Restarts count in a pod that is younger than this; an old one may have had them long ago.</summary>
    public static readonly TimeSpan CrashWindow = TimeSpan.FromMinutes(15);

    private const long NoDeadline = int.MaxValue;

    /// <summary>
    /// A container that crashes may only be waiting for another one, so kstatus' verdict at the first back-off is too early here;
    /// after this many restarts, some minutes, it is not.
    /// </summary>
    public const int MostRestarts = 5;

    /// <summary>These do not heal: the image is not there and is not fetched.</summary>
    private static readonly string[] Hopeless = ["ErrImageNeverPull", "InvalidImageName"];

    private static readonly string[] Slow = ["ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"];

    /// <summary>Judges an object.</summary>
    /// <param name="live">The object as the API server tells it.</param>
    /// <param name="now">The time.</param>
    public static Readiness Of(JsonObject live, DateTimeOffset now)
    {
        var found = new LiveObject(live);
        return Common(found) ?? (found.Group, found.Kind) switch
        {
            ("apps", "Deployment") => Deployment(found),
            ("apps", "StatefulSet") => StatefulSet(found),
            ("apps", "DaemonSet") => DaemonSet(found),
            ("apps", "ReplicaSet") or ("", "ReplicationController") => ReplicaSet(found),
            ("batch", "Job") => Job(found),
            ("", "Pod") => Pod(found, now),
            ("", "PersistentVolumeClaim") => Claim(found),
            ("", "Service") => Service(found),
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Definition(found),
            _ => Other(found),
        };
    }

    /// <summary>What holds for every kind, or null.</summary>
    private static Readiness? Common(LiveObject live)
    {
        if (live.Has("metadata", "deletionTimestamp")) return Readiness.Waiting("it is being deleted");
        if (live.IsUnobserved) return Readiness.Waiting("its controller has not seen the change yet");
        if (live.FindCondition("Reconciling") is { IsTrue: true } reconciling) return Readiness.Waiting(reconciling.Say("it is being reconciled"));
        return live.FindCondition("Stalled") is { IsTrue: true } stalled ? Readiness.Failed(stalled.Say("it has stalled")) : null;
    }

    private static Readiness Deployment(LiveObject live)
    {
        if (live.FindCondition("Progressing") is { Reason: "ProgressDeadlineExceeded" } late) return Readiness.Failed(late.Say("it made no progress in time"));
        var wanted = Replicas(live);
        if (Short(live, wanted, ("replicas", "made"), ("updatedReplicas", "updated")) is { } few) return few;
        if (Extra(live, wanted) is { } extra) return extra;
        if (Short(live, Count(live, "updatedReplicas"), ("availableReplicas", "available")) is { } unavailable) return unavailable;
        if (Short(live, wanted, ("readyReplicas", "ready")) is { } unready) return unready;
        var hasDeadline = live.Number("spec", "progressDeadlineSeconds") is { } deadline and not NoDeadline && deadline > 0;
        if (hasDeadline && live.FindCondition("Progressing") is not { IsTrue: true, Reason: "NewReplicaSetAvailable" }) return Readiness.Waiting("the new replicas are not all in place");
        return live.FindCondition("Available") is { IsTrue: true } ? Readiness.Ready($"{wanted} of {wanted} replicas ready") : Readiness.Waiting("it is not available yet");
    }

    private static Readiness StatefulSet(LiveObject live)
    {
        if (live.Text("spec", "updateStrategy", "type") == "OnDelete") return Readiness.Ready("its pods are updated when they are deleted");
        var wanted = Replicas(live);
        if (Short(live, wanted, ("replicas", "made"), ("readyReplicas", "ready")) is { } few) return few;
        if (Extra(live, wanted) is { } extra) return extra;
        if (live.Number("spec", "updateStrategy", "rollingUpdate", "partition") is > 0 and var partition)
            return Short(live, wanted - partition, ("updatedReplicas", "updated")) ?? Readiness.Ready($"{wanted} of {wanted} replicas ready, those from {partition} on updated");
        if (Short(live, wanted, ("currentReplicas", "current")) is { } old) return old;
        return live.Text("status", "currentRevision") == live.Text("status", "updateRevision") ? Readiness.Ready($"{wanted} of {wanted} replicas ready") : Readiness.Waiting("not all replicas are of the new revision");
    }

    private static Readiness DaemonSet(LiveObject live)
    {
        if (live.Number("status", "observedGeneration") is null || live.Number("status", "desiredNumberScheduled") is not { } wanted) return Readiness.Waiting("its controller has not seen it yet");
        var onDelete = live.Text("spec", "updateStrategy", "type") == "OnDelete";
        return Short(live, wanted, ("currentNumberScheduled", "scheduled"))
            ?? (onDelete ? null : Short(live, wanted, ("updatedNumberScheduled", "updated")))
            ?? Short(live, wanted, ("numberAvailable", "available"), ("numberReady", "ready"))
            ?? Readiness.Ready($"{wanted} of {wanted} nodes ready");
    }

    private static Readiness ReplicaSet(LiveObject live)
    {
        if (live.FindCondition("ReplicaFailure") is { IsTrue: true } failure) return Readiness.Waiting(failure.Say("its pods cannot be made"));
        var wanted = Replicas(live);
        return Short(live, wanted, ("fullyLabeledReplicas", "labelled"), ("availableReplicas", "available"), ("readyReplicas", "ready")) ?? Extra(live, wanted) ?? Readiness.Ready($"{wanted} of {wanted} replicas ready");
    }

    private static Readiness Job(LiveObject live)
    {
        if (live.FindCondition("Complete") is { IsTrue: true }) return Readiness.Ready("completed");
        if (live.FindCondition("Failed") is { IsTrue: true } failed) return Readiness.Failed(failed.Say("the job failed"));
        if (live.FindCondition("Suspended") is { IsTrue: true } && live.Is("spec", "suspend")) return Readiness.Ready("suspended, as asked");
        return Readiness.Waiting(live.Has("status", "startTime") ? "the job runs" : "the job has not started");
    }

    /// <summary>A pod, and what keeps it from running. Also told of the pods of a deployment, whose own status has no reasons.</summary>
    public static Readiness Pod(LiveObject live, DateTimeOffset now)
    {
        switch (live.Text("status", "phase"))
        {
            case "Succeeded": return Readiness.Ready("completed");
            case "Failed": return Readiness.Failed(live.Text("status", "message") ?? live.Text("status", "reason") ?? "the pod failed");
        }
        foreach (var container in live.List("status", "initContainerStatuses").Concat(live.List("status", "containerStatuses")))
        {
            var name = container.Text("name") ?? "a container";
            if (container.Number("state", "terminated", "exitCode") is { } code and not 0) return Readiness.Waiting($"{name}: ended with exit code {code}");
            if (container.Text("state", "waiting", "reason") is not { } reason) continue;
            var why = $"{name}: {container.Text("state", "waiting", "message") ?? reason}";
            if (Hopeless.Contains(reason)) return Readiness.Failed(why);
            if (reason == "CrashLoopBackOff") return container.Number("restartCount") >= MostRestarts && now - live.Created < CrashWindow ? Readiness.Failed(why) : Readiness.Waiting(why);
            if (Slow.Contains(reason)) return now - live.Created > StartGrace ? Readiness.Failed(why) : Readiness.Waiting(why);
        }
        if (live.FindCondition("PodScheduled") is { IsFalse: true, Reason: "Unschedulable" } unscheduled)
            return now - (unscheduled.Since ?? live.Created) > SchedulingGrace ? Readiness.Failed(unscheduled.Say("no node takes it")) : Readiness.Waiting(unscheduled.Say("no node has taken it yet"));
        if (live.Text("status", "phase") != "Running") return Readiness.Waiting("it has not started");
        return live.FindCondition("Ready") is { IsTrue: true } ? Readiness.Ready("running") : Readiness.Waiting(live.FindCondition("Ready")?.Say("it is not ready") ?? "it is not ready");
    }

    private static Readiness Claim(LiveObject live) => live.Text("status", "phase") switch
    {
        "Bound" => Readiness.Ready("bound"),
        "Lost" => Readiness.Failed("its volume is lost"),
        // Many classes bind when a pod comes, and none may come: a job at night. A pod that needs it and lacks it is not ready itself.
        _ => Readiness.Ready("it is bound when a pod uses it"),
    };

    private static Readiness Service(LiveObject live) =>
        live.Text("spec", "type") == "LoadBalancer" && string.IsNullOrEmpty(live.Text("spec", "clusterIP")) ? Readiness.Waiting("it has no address yet") : Readiness.Ready("applied");

    private static Readiness Definition(LiveObject live)
    {
        if (live.FindCondition("NamesAccepted") is { IsFalse: true } refused) return Readiness.Failed(refused.Say("its names are taken"));
        return live.FindCondition("Established") switch
        {
            { IsTrue: true } => Readiness.Ready("established"),
            { IsFalse: true, Reason: not "Installing" } failed => Readiness.Failed(failed.Say("it could not be established")),
            _ => Readiness.Waiting("it is not established yet"),
        };
    }

    private static Readiness Other(LiveObject live) =>
        live.FindCondition("Ready") is { IsTrue: false } waiting ? Readiness.Waiting(waiting.Say("it is not ready")) : Readiness.Ready("applied");

    private static long Replicas(LiveObject live) => live.Number("spec", "replicas") ?? 1;

    private static long Count(LiveObject live, string member) => live.Number("status", member) ?? 0;

    /// <summary>What falls short of a number, or null.</summary>
    private static Readiness? Short(LiveObject live, long wanted, params ReadOnlySpan<(string Member, string Word)> counts)
    {
        foreach (var (member, word) in counts)
            if (Count(live, member) is var count && count < wanted) return Readiness.Waiting($"{count} of {wanted} {word}");
        return null;
    }

    private static Readiness? Extra(LiveObject live, long wanted) => Count(live, "replicas") is var count && count > wanted ? Readiness.Waiting($"{count - wanted} old replicas still end") : null;
}
