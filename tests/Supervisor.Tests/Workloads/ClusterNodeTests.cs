using System.Text.Json.Nodes;
using Appliance.Supervisor.Workloads.Kubernetes;

namespace Supervisor.Tests.Workloads;

/// <summary>Whether the node takes pods, by what the API has of it.</summary>
public sealed class ClusterNodeTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 30, 12, 0, 0, 700, TimeSpan.Zero);

    [Theory]
    [InlineData("True", "2026-11-30T12:00:09Z", "node n1 is ready")]
    [InlineData("True", "2026-11-30T12:00:00Z", "node n1 is ready")] // whole seconds
    [InlineData("True", "2026-11-30T11:59:59Z", "node n1 has said nothing since its kubelet started")]
    [InlineData("True", null, "node n1 has said nothing since its kubelet started")]
    [InlineData("False", "2026-11-30T12:00:09Z", "node n1 is not ready: no network yet")]
    [InlineData("Unknown", "2026-11-30T11:59:59Z", "node n1 is not ready: no network yet")]
    public void ANode_IsReady_ByWhatItHasSaidSinceItsStart(string status, string? saidAt, string message) => Assert.Equal(message, Judge(status, saidAt, Start));

    [Fact]
    public void WithoutAStart_WhatItSaidLastCounts() => Assert.Equal("node n1 is ready", Judge("True", "2026-11-30T11:59:59Z", null));

    private static string Judge(string status, string? saidAt, DateTimeOffset? since)
    {
        var node = new JsonObject { ["status"] = new JsonObject { ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = status, ["message"] = "no network yet", ["lastHeartbeatTime"] = saidAt }) } };
        return ClusterNode.Judge("n1", new LiveObject(node), since).Message;
    }
}
