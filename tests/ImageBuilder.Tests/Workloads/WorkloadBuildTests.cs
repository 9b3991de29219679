using System.Formats.Tar;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Publish;
using Appliance.ImageBuilder.Workloads;

namespace ImageBuilder.Tests.Workloads;

/// <summary>Workloads become bundles by the real skopeo, from archives and from a real registry.</summary>
public sealed class WorkloadBuildTests : IDisposable
{
    private static readonly (string, byte[]) Base = ("base", Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 20_000).Select(i => $"line {i}\n"))));
    private readonly Temporary _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public WorkloadBuildTests()
    {
        Directory.CreateDirectory(_folder["shop/manifests"]);
        Define("1.0", "web", "images: [{name: web, archive: web.tar}]");
        Manifest("web");
        SomeImage.Write(_folder["shop/web.tar"], "amd64", Base, ("one", [1]));
    }

    public void Dispose() => _folder.Dispose();

    private void Define(string version, string id, string more = "") => _folder.Write("shop/workload.yaml", $"id: {id}\nversion: {version}\n{more}\n");

    private void Manifest(string image) => _folder.Write("shop/manifests/web.yaml", $$$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, namespace: shop}
        spec:
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: web, image: '{{{image}}}', imagePullPolicy: Always}]}
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: words, namespace: shop}
        data: {greeting: "Grüß Gott & willkommen"}
        """);

    /// <summary>The image comes from a registry, and the manifest names it there.</summary>
    private async Task<LocalRegistry> ServedAsync()
    {
        var registry = await LocalRegistry.StartAsync(_folder, Token);
        registry.Push(_folder["shop/web.tar"], "shop/web:1");
        Define("1.0", "web");
        Manifest($"{registry.Address}/shop/web:1");
        return registry;
    }

    /// <summary>A key as cosign's, by openssl; gives the private one.</summary>
    private string MakeKey(string name)
    {
        SomeImage.Run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", _folder[name]);
        SomeImage.Run("openssl", "ec", "-in", _folder[name], "-pubout", "-out", _folder[$"shop/{name}.pub"]);
        return _folder[name];
    }

    private SignaturePolicy PolicyOf(LocalRegistry registry, string key) => new() { Rules = [new SignatureRule { Images = $"{registry.Address}/*", Key = File.ReadAllText(_folder[$"shop/{key}.pub"]) }] };

    [Fact]
    public async Task Bundle_ASignedImage_TakesItsSignatureAlong()
    {
        SignaturePolicy policy;
        await using (var registry = await ServedAsync())
        {
            registry.Sign(_folder, "shop/web", registry.DigestOf("shop/web:1"), MakeKey("vendor"));
            Define("1.0", "web", $"signatures: [{{images: '{registry.Address}/*', key: vendor.pub}}]");

            var (release, _) = await BuildAsync();

            policy = PolicyOf(registry, "vendor");
            Assert.Empty(policy.FindFaults(release));
            MakeKey("other");
            Assert.Single(PolicyOf(registry, "other").FindFaults(release));
        }
        // The signature is kept with the image: no registry is needed to build it again.
        Assert.Empty(policy.FindFaults((await BuildAsync(locked: true)).Release));
    }

    [Fact]
    public async Task Bundle_ASignedIndexOfSeveralPlatforms_VouchesForTheImageInIt()
    {
        await using var registry = await ServedAsync();
        var digest = registry.DigestOf("shop/web:1");
        var index = registry.PushIndex(_folder, "shop/web:multi", "shop/web:1");
        Assert.NotEqual(digest, index);
        registry.Sign(_folder, "shop/web", index, MakeKey("vendor"));
        Manifest($"{registry.Address}/shop/web:multi");
        Define("1.0", "web", $"signatures: [{{images: '*', key: vendor.pub}}]");

        var (release, _) = await BuildAsync();

        Assert.Equal(digest, release.Images[0].Source);
        Assert.Empty(PolicyOf(registry, "vendor").FindFaults(release));
    }

    [Fact]
    public async Task Bundle_AnImageThatIsNotSignedAsItShouldBe_IsRefused()
    {
        await using var registry = await ServedAsync();
        registry.Sign(_folder, "shop/web", registry.DigestOf("shop/web:1"), MakeKey("vendor"));
        MakeKey("other");
        Define("1.0", "web", $"signatures: [{{images: '*', key: other.pub}}]");
        Assert.Contains("none of its 1 signatures is by the key for *", (await RefusalAsync()).Message, StringComparison.Ordinal);

        Define("1.0", "web", $"signatures: [{{images: 'example.com/*'}}]");
        Assert.Contains("no rule allows it", (await RefusalAsync()).Message, StringComparison.Ordinal);

        Define("1.0", "web", $"signatures: [{{images: '*', key: vendor}}]");
        _folder.Write("shop/vendor", "no key");
        Assert.Contains("vendor is no public key", (await RefusalAsync()).Message, StringComparison.Ordinal);
    }

    private async Task<(WorkloadRelease Release, string Payload)> BuildAsync(bool locked = false, bool refresh = false)
    {
        var options = new WorkloadBuildOptions { Folder = _folder["shop"], CacheFolder = _folder["cache"], Locked = locked, Refresh = refresh };
        using var observer = new PlainBuildObserver(TextWriter.Null);
        await new WorkloadBuild(options, observer).WriteBundleAsync(_folder["shop.bundle"], Token);
        var unpacked = await UnpackedBundle.UnpackAsync(_folder["shop.bundle"], _folder["unpacked"], null, Token);
        Assert.Equal(BundleKind.Workload, unpacked.Manifest.Header.Kind);
        var payload = unpacked.Files[WorkloadRelease.PayloadName];
        await using var file = File.OpenRead(payload);
        await using var tar = new TarReader(file);
        var first = (await tar.GetNextEntryAsync(cancellationToken: Token))!;
        Assert.Equal(WorkloadRelease.MemberName, first.Name);
        var bytes = new byte[first.Length];
        await first.DataStream!.ReadExactlyAsync(bytes, Token);
        return (WorkloadReleaseReader.Parse(bytes), payload);
    }

    private async Task<UserError> RefusalAsync(bool locked = false, bool refresh = false)
    {
        var error = await Assert.ThrowsAsync<UserError>(() => BuildAsync(locked, refresh));
        Assert.False(File.Exists(_folder["shop.bundle"]));
        return error;
    }

    [Fact]
    public async Task AnArchive_BecomesAReleaseThatEnginesLoad_WithTheContentUnchanged()
    {
        var (release, payload) = await BuildAsync();

        var image = Assert.Single(release.Images);
        Assert.Equal("docker.io/library/web:latest", image.Reference);
        Assert.Equal(image.Pinned, PodImages.Of(release.Objects[0]).Single().Name);
        Assert.Equal("Never", (string?)PodImages.Of(release.Objects[0]).Single().Node["imagePullPolicy"]);
        Assert.Equal("Grüß Gott & willkommen", (string?)release.Objects[1]["data"]!["greeting"]);
        // The real skopeo verifies every digest on the way, and finds the image by its pinned name.
        SomeImage.Run("skopeo", "copy", $"oci-archive:{payload}:{image.Pinned}", $"dir:{_folder["again"]}");
        Assert.Equal(image.Manifest, OciDigest.Of(await File.ReadAllBytesAsync(_folder["again/manifest.json"], Token)));
        SomeImage.Run("skopeo", "copy", $"oci-archive:{_folder["shop/web.tar"]}", $"dir:{_folder["before"]}");
        var config = image.Config["sha256:".Length..];
        Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(_folder["before"], config), Token), await File.ReadAllBytesAsync(Path.Combine(_folder["again"], config), Token));
    }

    [Fact]
    public async Task TheSameWorkload_GivesTheSameBytes()
    {
        await BuildAsync();
        var first = await File.ReadAllBytesAsync(_folder["shop.bundle"], Token);
        Directory.Delete(_folder["cache"], recursive: true);
        await BuildAsync();

        var second = await File.ReadAllBytesAsync(_folder["shop.bundle"], Token);
        Assert.True(first.AsSpan().SequenceEqual(second));
    }

    [Fact]
    public async Task ATag_IsLocked_UntilSomebodyRefreshes()
    {
        await using var registry = await ServedAsync();
        var (first, _) = await BuildAsync();
        SomeImage.Write(_folder["newer.tar"], "amd64", Base, ("one", [2]));
        registry.Push(_folder["newer.tar"], "shop/web:1");

        Directory.Delete(_folder["cache"], recursive: true);
        var (locked, _) = await BuildAsync(locked: true);
        var (refreshed, _) = await BuildAsync(refresh: true);

        Assert.Equal(first.Images, locked.Images);
        Assert.NotEqual(first.Images[0].Source, refreshed.Images[0].Source);
        Assert.NotEqual(first.Images[0].Pinned, refreshed.Images[0].Pinned);
        Assert.Contains(refreshed.Images[0].Source, await File.ReadAllTextAsync(_folder["shop/workload.lock.yaml"], Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALockedImage_IsTakenFromTheStore_WithoutItsRegistry()
    {
        await using (await ServedAsync()) await BuildAsync();

        await BuildAsync(locked: true);
        File.Delete(_folder["shop.bundle"]);
        Assert.Contains("cannot be had", (await RefusalAsync(refresh: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Locked_RefusesWhatIsNotInTheLock()
    {
        Assert.Contains("nothing", (await RefusalAsync(locked: true)).Message, StringComparison.Ordinal);

        Define("1.0", "web");
        Assert.Contains("does not lock", (await RefusalAsync(locked: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnImageOfAnotherArchitecture_IsRefused()
    {
        SomeImage.Write(_folder["shop/web.tar"], "arm64", Base);

        Assert.Contains("linux/arm64", (await RefusalAsync()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("web.tar", "no archive at all", "cannot be read")]
    [InlineData("web.tar", "", "neither an OCI nor a Docker archive")]
    [InlineData("manifests/web.yaml", "", "no Kubernetes objects")]
    [InlineData("manifests/web.yaml", "kind: ConfigMap", "web.yaml:1: this is no Kubernetes object that can be applied: it has no apiVersion")]
    [InlineData("manifests/more.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: words, namespace: shop}}", "ConfigMap shop/words is described at manifests/more.yaml:1 already")]
    [InlineData("manifests/more.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: x}}", "no metadata.name")]
    [InlineData("manifests/web.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{image: 'A B'}]}}", "Pod x names the image \"A B\"")]
    [InlineData("workload.yaml", "id: shop", "the key version is missing")]
    [InlineData("workload.yaml", "{id: shop, version: 1, images: [{name: other, archive: web.tar}]}", "no manifest uses that image")]
    [InlineData("workload.yaml", "{id: shop, version: 1, manifests: [nowhere]}", "There is no")]
    public async Task AMistake_IsSaidWithItsPlace_AndNothingIsWritten(string file, string content, string error)
    {
        _folder.Write($"shop/{file}", content);

        Assert.Contains(error, (await RefusalAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADamagedLayer_IsRefused()
    {
        await using var registry = await ServedAsync();
        await BuildAsync();
        File.Delete(_folder["shop.bundle"]);
        // In the store, where no program looks at it again but ours.
        var image = Assert.Single(Directory.GetDirectories(_folder["cache/images"]));
        var layer = new DirectoryInfo(image).GetFiles().MaxBy(file => file.Length)!;
        var bytes = await File.ReadAllBytesAsync(layer.FullName, Token);
        bytes[^20] ^= 1;
        await File.WriteAllBytesAsync(layer.FullName, bytes, Token);

        Assert.Contains($"The image {registry.Address}/shop/web:1 cannot be used", (await RefusalAsync(locked: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AKustomization_IsRendered()
    {
        _folder.Write("shop/manifests/kustomization.yaml", "resources: [web.yaml]\nnamespace: other\nnamePrefix: a-\n");

        var (release, _) = await BuildAsync();

        Assert.Equal(["Deployment other/a-web", "ConfigMap other/a-words"], release.Objects.Select(manifest => ObjectIdentity.Of(manifest).ToString()).OrderDescending());
    }

    [Fact]
    public async Task OneImage_NamedByTagAndByTagAndDigest_IsThereOnce()
    {
        await using var registry = await ServedAsync();
        var digest = (await BuildAsync()).Release.Images.Single().Source;
        _folder.Write("shop/manifests/more.yaml", $"{{apiVersion: v1, kind: Pod, metadata: {{name: x}}, spec: {{containers: [{{image: '{registry.Address}/shop/web:1@{digest}'}}]}}}}");

        var (release, _) = await BuildAsync();

        Assert.Single(release.Images);
        Assert.All(release.Objects.SelectMany(PodImages.Of), place => Assert.Equal(release.Images[0].Pinned, place.Name));
    }

    [Fact]
    public async Task AListOfObjects_IsTakenApart_AndStatusDropped()
    {
        _folder.Write("shop/manifests/more.yaml", "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Service, metadata: {name: a}, status: {}}, {apiVersion: v1, kind: Service, metadata: {name: b}}]}");

        var (release, _) = await BuildAsync();

        Assert.Equal(["Service a", "Service b"], release.Objects.Take(2).Select(manifest => ObjectIdentity.Of(manifest).ToString()));
        Assert.All(release.Objects, manifest => Assert.False(((JsonObject)manifest).ContainsKey("status")));
    }
}
