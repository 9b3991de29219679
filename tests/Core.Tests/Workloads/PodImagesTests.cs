using System.Text.Json.Nodes;
using Appliance.Core.Workloads;

namespace Core.Tests.Workloads;

public sealed class PodImagesTests
{
    private const string Pod = """{"initContainers":[{"image":"a"}],"containers":[{"image":"b"},{"image":"c","imagePullPolicy":"Always"}],"volumes":[{"name":"v","image":{"reference":"d"}},{"name":"w","emptyDir":{}}]}""";

    private static JsonObject Parse(string text) => JsonNode.Parse(text)!.AsObject();

    [Theory]
    [InlineData("v1", "Pod", "{POD}")]
    [InlineData("apps/v1", "Deployment", """{"template":{"spec":{POD}}}""")]
    [InlineData("apps/v1", "StatefulSet", """{"template":{"spec":{POD}}}""")]
    [InlineData("apps/v1", "DaemonSet", """{"template":{"spec":{POD}}}""")]
    [InlineData("batch/v1", "Job", """{"template":{"spec":{POD}}}""")]
    [InlineData("batch/v1", "CronJob", """{"jobTemplate":{"spec":{"template":{"spec":{POD}}}}}""")]
    public void Of_AKindWithAPod_FindsEveryImage(string apiVersion, string kind, string spec)
    {
        var manifest = Parse($$"""{"apiVersion":"{{apiVersion}}","kind":"{{kind}}","metadata":{"name":"x"},"spec":{{spec.Replace("{POD}", Pod, StringComparison.Ordinal)}}}""");

        var places = PodImages.Of(manifest).ToList();
        foreach (var place in places) place.Set(place.Name + "-pinned");

        Assert.Equal(["a-pinned", "b-pinned", "c-pinned", "d-pinned"], PodImages.Of(manifest).Select(place => place.Name));
        Assert.Equal(3, manifest.ToJsonString().Split("\"imagePullPolicy\":\"Never\"").Length - 1);
        Assert.Contains("""{"reference":"d-pinned","pullPolicy":"Never"}""", manifest.ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"apiVersion":"v1","kind":"ConfigMap","data":{"image":"a"}}""")]
    [InlineData("""{"apiVersion":"example.org/v1","kind":"Deployment","spec":{"template":{"spec":{"containers":[{"image":"a"}]}}}}""")]
    [InlineData("""{"apiVersion":"apps/v1","kind":"Deployment","spec":[]}""")]
    [InlineData("""{"apiVersion":1,"kind":null}""")]
    public void Of_AnyOtherKind_FindsNone(string text) => Assert.Empty(PodImages.Of(Parse(text)));
}
