using System.Text;
using System.Text.Json.Nodes;
using Appliance.Core.Bundles;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Workloads;
using UpdateClient.Tests.Install;

namespace UpdateClient.Tests.Workloads;

/// <summary>Makes bundles of workload releases whose image has two layers; a version changes some of the second.</summary>
internal static class SomeWorkload
{
    /// <summary>Makes a bundle, as <c>appliance bundle --workload</c> does from plain layers on.</summary>
    public static async Task<string> BuildAsync(UpdateScene scene, string version, string id = "shop", int layerSize = 1 << 20)
    {
        var layers = new List<(string, string)>();
        foreach (var content in new[] { UpdateScene.RootBytes("base", layerSize), UpdateScene.RootBytes(version, layerSize) })
        {
            var digest = OciDigest.Of(content);
            var file = scene[digest["sha256:".Length..]];
            await File.WriteAllBytesAsync(file, content);
            layers.Add((digest, file));
        }
        var config = Encoding.UTF8.GetBytes($$$"""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["{{{layers[0].Item1}}}","{{{layers[1].Item1}}}"]}}""");
        var manifest = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["config"] = PlainImage.Descriptor("application/vnd.oci.image.config.v1+json", OciDigest.Of(config), config.Length),
            ["layers"] = new JsonArray([.. layers.Select(layer => (JsonNode)PlainImage.Descriptor("application/vnd.oci.image.layer.v1.tar", layer.Item1, layerSize))]),
        }.ToJsonString());
        var plain = new PlainImage(OciDigest.Of(manifest), manifest, config, layers);
        var image = ImageReference.TryParse("example.org/shop/web:1")!;
        var release = new WorkloadRelease
        {
            Format = WorkloadRelease.CurrentFormat,
            Id = id,
            Version = version,
            Architecture = "amd64",
            Images = [new WorkloadImage { Reference = image.ToString(), Pinned = image.Pin(plain.Digest).ToString(), Manifest = plain.Digest, Source = plain.Source, Config = plain.ConfigDigest }],
            Objects = [new JsonObject { ["apiVersion"] = "v1", ["kind"] = "ConfigMap", ["metadata"] = new JsonObject { ["name"] = "words" }, ["data"] = new JsonObject { ["version"] = version } }],
        };
        var payload = scene.Plain($"{id}-{version}", WorkloadRelease.PayloadName);
        await WorkloadArchive.WriteAsync(payload, release, [plain], UpdateScene.Now, (_, _) => { }, CancellationToken.None);
        var packed = await BundleWriter.PackAsync(new BundlePayloadFile(WorkloadRelease.PayloadName, BundlePayloadKind.Workload, payload), scene["c.packed"], null, CancellationToken.None);
        var path = scene[$"{id}_{version}.bundle"];
        var header = new BundleHeader { Kind = BundleKind.Workload, Id = id, Version = version, Board = BundleHeader.AnyBoard, Architecture = "amd64", SourceDate = UpdateScene.Now };
        await BundleWriter.WriteAsync(header, [packed], path, CancellationToken.None);
        return path;
    }
}
