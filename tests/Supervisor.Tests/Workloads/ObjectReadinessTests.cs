using System.Text.Json.Nodes;
using Appliance.Supervisor.Workloads;
using Appliance.Supervisor.Workloads.Kubernetes;

namespace Supervisor.Tests.Workloads;

public sealed class ObjectReadinessTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 1, 12, 0, 0, TimeSpan.Zero);

    private static Readiness Of(string apiVersion, string kind, string rest) =>
        ObjectReadiness.Of(JsonNode.Parse($$$"""{"apiVersion":"{{{apiVersion}}}","kind":"{{{kind}}}",{{{rest}}}}""")!.AsObject(), Now);

    private static void AssertIs(string state, string message, Readiness found) => Assert.Equal((Enum.Parse<ReadinessState>(state), message), (found.State, found.Message));

    private const string Available = """{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}""";

    [Theory]
    [InlineData("""{"replicas":2}""", """{"replicas":1}""", "InProgress", "1 of 2 made")]
    [InlineData("""{"replicas":2}""", """{"replicas":2,"updatedReplicas":1}""", "InProgress", "1 of 2 updated")]
    [InlineData("""{"replicas":2}""", """{"replicas":3,"updatedReplicas":2}""", "InProgress", "1 old replicas still end")]
    [InlineData("""{"replicas":2}""", """{"replicas":2,"updatedReplicas":2,"availableReplicas":1}""", "InProgress", "1 of 2 available")]
    [InlineData("""{"replicas":2}""", """{"replicas":2,"updatedReplicas":2,"availableReplicas":2,"readyReplicas":1}""", "InProgress", "1 of 2 ready")]
    [InlineData("""{"replicas":1}""", """{"replicas":1,"updatedReplicas":1,"availableReplicas":1,"readyReplicas":1}""", "InProgress", "it is not available yet")]
    [InlineData("""{"replicas":1,"progressDeadlineSeconds":600}""", """{"replicas":1,"updatedReplicas":1,"availableReplicas":1,"readyReplicas":1,"conditions":[{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"ReplicaSetUpdated"}]}""", "InProgress", "the new replicas are not all in place")]
    [InlineData("""{"replicas":1,"progressDeadlineSeconds":600}""", """{"replicas":1,"updatedReplicas":1,"availableReplicas":1,"readyReplicas":1,"conditions":[AVAILABLE]}""", "Ready", "1 of 1 replicas ready")]
    [InlineData("""{}""", """{"replicas":1,"updatedReplicas":1,"availableReplicas":1,"readyReplicas":1,"conditions":[AVAILABLE]}""", "Ready", "1 of 1 replicas ready")]
    [InlineData("""{"replicas":0}""", """{"conditions":[AVAILABLE]}""", "Ready", "0 of 0 replicas ready")]
    [InlineData("""{}""", """{"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"it has timed out"}]}""", "Failed", "it has timed out")]
    [InlineData("""{}""", """{}""", "InProgress", "0 of 1 made")]
    public void ADeployment(string spec, string status, string state, string message) =>
        AssertIs(state, message, Of("apps/v1", "Deployment", $"\"spec\":{spec},\"status\":{status.Replace("AVAILABLE", Available, StringComparison.Ordinal)}"));

    [Theory]
    [InlineData("""{"updateStrategy":{"type":"OnDelete"}}""", """{}""", "Ready", "its pods are updated when they are deleted")]
    [InlineData("""{"replicas":2}""", """{"replicas":2,"readyReplicas":1}""", "InProgress", "1 of 2 ready")]
    [InlineData("""{"replicas":2}""", """{"replicas":3,"readyReplicas":2}""", "InProgress", "1 old replicas still end")]
    [InlineData("""{"replicas":3,"updateStrategy":{"rollingUpdate":{"partition":1}}}""", """{"replicas":3,"readyReplicas":3,"updatedReplicas":1}""", "InProgress", "1 of 2 updated")]
    [InlineData("""{"replicas":3,"updateStrategy":{"rollingUpdate":{"partition":1}}}""", """{"replicas":3,"readyReplicas":3,"updatedReplicas":2}""", "Ready", "3 of 3 replicas ready, those from 1 on updated")]
    [InlineData("""{"replicas":1}""", """{"replicas":1,"readyReplicas":1,"currentReplicas":0,"currentRevision":"a","updateRevision":"b"}""", "InProgress", "0 of 1 current")]
    [InlineData("""{"replicas":1}""", """{"replicas":1,"readyReplicas":1,"currentReplicas":1,"currentRevision":"a","updateRevision":"b"}""", "InProgress", "not all replicas are of the new revision")]
    [InlineData("""{"replicas":1}""", """{"replicas":1,"readyReplicas":1,"currentReplicas":1,"currentRevision":"b","updateRevision":"b"}""", "Ready", "1 of 1 replicas ready")]
    public void AStatefulSet(string spec, string status, string state, string message) => AssertIs(state, message, Of("apps/v1", "StatefulSet", $"\"spec\":{spec},\"status\":{status}"));

    [Theory]
    [InlineData("""{}""", """{}""", "InProgress", "its controller has not seen it yet")]
    [InlineData("""{}""", """{"observedGeneration":1,"desiredNumberScheduled":2,"currentNumberScheduled":2,"updatedNumberScheduled":1}""", "InProgress", "1 of 2 updated")]
    [InlineData("""{"updateStrategy":{"type":"OnDelete"}}""", """{"observedGeneration":1,"desiredNumberScheduled":1,"currentNumberScheduled":1,"updatedNumberScheduled":0,"numberAvailable":1,"numberReady":1}""", "Ready", "1 of 1 nodes ready")]
    [InlineData("""{}""", """{"observedGeneration":1,"desiredNumberScheduled":1,"currentNumberScheduled":1,"updatedNumberScheduled":1,"numberAvailable":1,"numberReady":0}""", "InProgress", "0 of 1 ready")]
    [InlineData("""{}""", """{"observedGeneration":1,"desiredNumberScheduled":0,"currentNumberScheduled":0}""", "Ready", "0 of 0 nodes ready")]
    public void ADaemonSet(string spec, string status, string state, string message) => AssertIs(state, message, Of("apps/v1", "DaemonSet", $"\"spec\":{spec},\"status\":{status}"));

    [Theory]
    [InlineData("""{"conditions":[{"type":"Complete","status":"True"}]}""", "{}", "Ready", "completed")]
    [InlineData("""{"conditions":[{"type":"Failed","status":"True","message":"Job has reached the specified backoff limit"}]}""", "{}", "Failed", "Job has reached the specified backoff limit")]
    [InlineData("""{"conditions":[{"type":"Suspended","status":"True"}]}""", """{"suspend":true}""", "Ready", "suspended, as asked")]
    [InlineData("""{"startTime":"2026-11-01T11:00:00Z","active":1}""", "{}", "InProgress", "the job runs")]
    [InlineData("{}", "{}", "InProgress", "the job has not started")]
    public void AJob_MustHaveCompleted(string status, string spec, string state, string message) => AssertIs(state, message, Of("batch/v1", "Job", $"\"spec\":{spec},\"status\":{status}"));

    [Theory]
    [InlineData("""{"phase":"Succeeded"}""", "Ready", "completed")]
    [InlineData("""{"phase":"Failed","reason":"Evicted","message":"The node was low on memory"}""", "Failed", "The node was low on memory")]
    [InlineData("""{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}""", "Ready", "running")]
    [InlineData("""{"phase":"Running","conditions":[{"type":"Ready","status":"False","reason":"ContainersNotReady"}]}""", "InProgress", "ContainersNotReady")]
    [InlineData("""{"phase":"Running","containerStatuses":[{"name":"web","restartCount":2,"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 10s"}}}]}""", "InProgress", "web: back-off 10s")]
    [InlineData("""{"phase":"Running","containerStatuses":[{"name":"web","restartCount":5,"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 80s"}}}]}""", "InProgress", "web: back-off 80s")]
    [InlineData("""{"phase":"Running","containerStatuses":[{"name":"web","state":{"terminated":{"exitCode":7}}}]}""", "InProgress", "web: ended with exit code 7")]
    [InlineData("""{"phase":"Pending","containerStatuses":[{"name":"web","state":{"waiting":{"reason":"ErrImageNeverPull"}}}]}""", "Failed", "web: ErrImageNeverPull")]
    [InlineData("""{"phase":"Pending","initContainerStatuses":[{"name":"db","state":{"waiting":{"reason":"CreateContainerConfigError","message":"no secret"}}}]}""", "InProgress", "db: no secret")]
    [InlineData("""{"phase":"Pending","containerStatuses":[{"name":"web","state":{"waiting":{"reason":"ContainerCreating"}}}]}""", "InProgress", "it has not started")]
    [InlineData("""{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/1 nodes","lastTransitionTime":"2026-11-01T11:58:30Z"}]}""", "InProgress", "0/1 nodes")]
    [InlineData("""{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/1 nodes","lastTransitionTime":"2026-11-01T11:57:30Z"}]}""", "Failed", "0/1 nodes")]
    [InlineData("{}", "InProgress", "it has not started")]
    public void APod(string status, string state, string message) => AssertIs(state, message, Of("v1", "Pod", $"\"status\":{status}"));

    [Theory]
    [InlineData(4, "2026-11-01T11:55:00Z", "InProgress")]
    [InlineData(5, "2026-11-01T11:55:00Z", "Failed")]
    [InlineData(12, "2026-10-01T11:55:00Z", "InProgress")]
    public void CrashesCount_WhereTheyAreNew(int restarts, string created, string state) =>
        AssertIs(state, "web: back-off", Of("v1", "Pod", $$$$"""
            "metadata":{"creationTimestamp":"{{{{created}}}}"},"status":{"phase":"Running","containerStatuses":[{"name":"web","restartCount":{{{{restarts}}}},"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off"}}}]}
            """));

    [Theory]
    [InlineData("2026-11-01T11:59:30Z", "InProgress")]
    [InlineData("2026-11-01T11:58:00Z", "Failed")]
    public void AnImageThatIsNotThere_HasSomeTimeToCome(string created, string state) =>
        AssertIs(state, "web: not found", Of("v1", "Pod", $$$$"""
            "metadata":{"creationTimestamp":"{{{{created}}}}"},"status":{"phase":"Pending","containerStatuses":[{"name":"web","state":{"waiting":{"reason":"ImagePullBackOff","message":"not found"}}}]}
            """));

    [Theory]
    [InlineData("v1", "ReplicationController", """{"conditions":[{"type":"ReplicaFailure","status":"True","message":"quota"}]}""", "InProgress", "quota")]
    [InlineData("apps/v1", "ReplicaSet", """{"replicas":1,"fullyLabeledReplicas":1,"availableReplicas":1,"readyReplicas":1}""", "Ready", "1 of 1 replicas ready")]
    [InlineData("v1", "PersistentVolumeClaim", """{"phase":"Bound"}""", "Ready", "bound")]
    [InlineData("v1", "PersistentVolumeClaim", """{"phase":"Pending"}""", "Ready", "it is bound when a pod uses it")]
    [InlineData("v1", "PersistentVolumeClaim", """{"phase":"Lost"}""", "Failed", "its volume is lost")]
    [InlineData("apiextensions.k8s.io/v1", "CustomResourceDefinition", """{"conditions":[{"type":"NamesAccepted","status":"False","message":"taken"}]}""", "Failed", "taken")]
    [InlineData("apiextensions.k8s.io/v1", "CustomResourceDefinition", """{"conditions":[{"type":"Established","status":"True"}]}""", "Ready", "established")]
    [InlineData("apiextensions.k8s.io/v1", "CustomResourceDefinition", """{"conditions":[{"type":"Established","status":"False","reason":"Installing"}]}""", "InProgress", "it is not established yet")]
    [InlineData("apiextensions.k8s.io/v1", "CustomResourceDefinition", """{"conditions":[{"type":"Established","status":"False","reason":"Odd"}]}""", "Failed", "Odd")]
    [InlineData("v1", "ConfigMap", "null", "Ready", "applied")]
    [InlineData("batch/v1", "CronJob", "{}", "Ready", "applied")]
    [InlineData("example.org/v1", "Thing", """{"conditions":[{"type":"Ready","status":"Unknown","message":"thinking"}]}""", "InProgress", "thinking")]
    [InlineData("example.org/v1", "Thing", """{"conditions":[{"type":"Ready","status":"True"}]}""", "Ready", "applied")]
    [InlineData("example.org/v1", "Thing", """{"conditions":[{"type":"Stalled","status":"True","reason":"NoDisk"}]}""", "Failed", "NoDisk")]
    [InlineData("example.org/v1", "Thing", """{"conditions":[{"type":"Reconciling","status":"True","message":"at it"}]}""", "InProgress", "at it")]
    [InlineData("example.org/v1", "Thing", """{"conditions":"none","observedGeneration":{}}""", "Ready", "applied")]
    public void OtherKinds(string apiVersion, string kind, string status, string state, string message) => AssertIs(state, message, Of(apiVersion, kind, $"\"status\":{status}"));

    [Theory]
    [InlineData("""{"type":"LoadBalancer"}""", "InProgress", "it has no address yet")]
    [InlineData("""{"type":"LoadBalancer","clusterIP":"10.0.0.1"}""", "Ready", "applied")]
    [InlineData("""{"type":"ClusterIP"}""", "Ready", "applied")]
    public void AService(string spec, string state, string message) => AssertIs(state, message, Of("v1", "Service", $"\"spec\":{spec}"));

    [Fact]
    public void WhatIsBeingDeleted_OrNotSeenYet_IsNotReady_WhateverItsStatusSays()
    {
        AssertIs("InProgress", "it is being deleted", Of("v1", "ConfigMap", """ "metadata":{"deletionTimestamp":"2026-11-01T11:00:00Z"} """));
        AssertIs("InProgress", "its controller has not seen the change yet", Of("batch/v1", "Job", """ "metadata":{"generation":2},"status":{"observedGeneration":1,"conditions":[{"type":"Complete","status":"True"}]} """));
    }
}
