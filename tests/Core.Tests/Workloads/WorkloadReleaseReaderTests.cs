using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;

namespace Core.Tests.Workloads;

public sealed class WorkloadReleaseReaderTests
{
    private static readonly string Digest = "sha256:" + new string('a', 64);

    private static WorkloadRelease Example() => new()
    {
        Format = 1,
        Id = "shop",
        Version = "1.0",
        Architecture = "amd64",
        Images = [new WorkloadImage { Reference = "docker.io/library/web:1", Pinned = "docker.io/library/web:1-aaaaaaaaaaaa", Manifest = Digest, Source = Digest, Config = Digest }],
        Objects = [new JsonObject { ["apiVersion"] = "v1", ["kind"] = "ConfigMap", ["metadata"] = new JsonObject { ["name"] = "settings" } }],
    };

    private static byte[] Json(Action<JsonObject>? change = null)
    {
        var node = JsonSerializer.SerializeToNode(Example(), WorkloadJson.Default.WorkloadRelease)!.AsObject();
        change?.Invoke(node);
        return Encoding.UTF8.GetBytes(node.ToJsonString());
    }

    private static string Refusal(Action<JsonObject> change) => Assert.Throws<InvalidDataException>(() => WorkloadReleaseReader.Parse(Json(change))).Message;

    [Fact]
    public void Parse_WhatWasWritten_GivesItBack()
    {
        var release = WorkloadReleaseReader.Parse(Json());

        Assert.Equal(Example().Images, release.Images);
        Assert.True(JsonNode.DeepEquals(Example().Objects[0], release.Objects[0]));
    }

    [Fact]
    public void Parse_ANewerFormat_SaysToUpdate()
    {
        var error = Assert.Throws<UserError>(() => WorkloadReleaseReader.Parse(Json(node => (node["format"], node["surprise"]) = (2, 1))));

        Assert.Contains("workload release has format 2", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../etc/x")]
    [InlineData("--all")]
    [InlineData("two\nlines")]
    [InlineData("a b")]
    public void Refuses_ANameThatIsNone(string name)
    {
        Assert.Contains("has a name or namespace that is none", Refusal(node => node["objects"]![0]!["metadata"]!["name"] = name), StringComparison.Ordinal);
        Assert.Contains("has a name or namespace that is none", Refusal(node => node["objects"]![0]!["metadata"]!["namespace"] = name), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("docker.io/library/web:1-aaaaaaaaaaaa", "Never", null)]
    [InlineData("docker.io/library/web:1-aaaaaaaaaaaa", "IfNotPresent", "Pod web would pull")]
    [InlineData("docker.io/library/web:1-aaaaaaaaaaaa", null, "Pod web would pull")]
    [InlineData("docker.io/library/web:1", "Never", "is not in it")]
    [InlineData(null, "Never", "is not in it")]
    public void RequireOwnImages_LetsOnlyThoseRunThatTheSignatureCovers(string? image, string? policy, string? refusal)
    {
        var release = Example() with { Objects = [new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = new JsonObject { ["name"] = "web" }, ["spec"] = new JsonObject { ["initContainers"] = new JsonArray(new JsonObject { ["image"] = image, ["imagePullPolicy"] = policy }) } }] };

        if (refusal is null) WorkloadReleaseReader.RequireOwnImages(release);
        else Assert.Contains(refusal, Assert.Throws<InvalidDataException>(() => WorkloadReleaseReader.RequireOwnImages(release)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RequireOwnImages_RefusesAChart_WhoseImagesNobodyKnows()
    {
        var release = Example() with { Objects = [new JsonObject { ["apiVersion"] = "helm.cattle.io/v1", ["kind"] = "HelmChart", ["metadata"] = new JsonObject { ["name"] = "web" } }] };

        Assert.Contains("HelmChart web would have k3s fetch", Assert.Throws<InvalidDataException>(() => WorkloadReleaseReader.RequireOwnImages(release)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_AnImageUnderANameThatIsNotItsContents() =>
        Assert.Contains("not kept under a name of its content", Refusal(node => node["images"]![0]!["pinned"] = "docker.io/library/web:1"), StringComparison.Ordinal);

    [Fact]
    public void Refuses_TheSameObjectTwice_AlsoInAnotherVersionOfItsGroup() => Assert.Contains("ConfigMap settings is there twice", Refusal(node =>
    {
        var again = node["objects"]![0]!.DeepClone();
        again["apiVersion"] = "v2";
        node["objects"]!.AsArray().Add(again);
    }), StringComparison.Ordinal);

    [Theory]
    [InlineData("apiVersion")]
    [InlineData("kind")]
    [InlineData("metadata")]
    public void Refuses_WhatIsNoKubernetesObject(string member) => Assert.Contains(member, Refusal(node => node["objects"]![0]!.AsObject().Remove(member)), StringComparison.Ordinal);

    [Theory]
    [InlineData("id", "../shop")]
    [InlineData("version", "")]
    [InlineData("architecture", "a b")]
    [InlineData("objects", "[]")]
    [InlineData("objects", "[null]")]
    [InlineData("images", "[null]")]
    [InlineData("images", "[{}]")]
    [InlineData("extra", "1")]
    public void Refuses_WhatIsNotAsItShouldBe(string member, string value) => Refusal(node => node[member] = value.StartsWith('[') || value.StartsWith('1') ? JsonNode.Parse(value) : value);

    [Fact]
    public void Refuses_MembersThatAreThereTwice()
    {
        var text = Encoding.UTF8.GetString(Json()).Replace("\"kind\":\"ConfigMap\"", "\"kind\":\"ConfigMap\",\"kind\":\"Secret\"", StringComparison.Ordinal);

        Assert.Throws<InvalidDataException>(() => WorkloadReleaseReader.Parse(Encoding.UTF8.GetBytes(text)));
    }

    [Fact]
    public void Refuses_ObjectsThatAreNestedTooDeep() => Refusal(node =>
    {
        JsonNode deep = 1;
        for (var i = 0; i < WorkloadReleaseReader.DeepestNesting; i++) deep = new JsonObject { ["a"] = deep };
        node["objects"]![0]!["spec"] = deep;
    });

    [Fact]
    public void DamagedDocuments_GiveARelease_OrOneOfTwoErrors()
    {
        var random = new Random(6);
        var sound = Json();
        for (var round = 0; round < 3000; round++)
        {
            var bytes = sound.ToArray();
            for (var change = random.Next(1, 4); change > 0; change--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            try
            {
                WorkloadReleaseReader.Parse(bytes.AsMemory(0, random.Next(8) == 0 ? random.Next(bytes.Length) : bytes.Length));
            }
            catch (Exception e) when (e is InvalidDataException or UserError)
            {
                // What it is for.
            }
        }
    }
}
