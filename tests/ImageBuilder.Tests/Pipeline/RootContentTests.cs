using System.Text.Json;
using Appliance.Core.Health;
using Appliance.Core.Images;
using Appliance.Core.Updates;
using Appliance.ImageBuilder.Definition;
using Appliance.ImageBuilder.Pipeline;
using Core.Tests.Access;
using ImageBuilder.Tests.Definition;

namespace ImageBuilder.Tests.Pipeline;

public sealed class RootContentTests : IDisposable
{
    private static readonly string Root = SomeRoot.Create();
    private readonly DefinitionFolder _definition = new();
    private readonly Temporary _folder = new();

    public RootContentTests()
    {
        Directory.CreateDirectory(_folder["tree/usr/lib"]);
        Directory.CreateDirectory(_folder["tree/var/lib/dpkg/info"]);
        _folder.Write("tree/usr/lib/os-release", "ID=debian\n");
    }

    public void Dispose()
    {
        _definition.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void WriteTo_WithUpdates_BakesInTheRootAsItIs_AndTheSettings()
    {
        var files = Files("updates: { root: keys/root.json, url: 'https://updates.example.net/edge' }");

        Assert.Equal(Root, files["/usr/lib/appliance/trust/root.json"]);
        Assert.Equivalent(new UpdateSettings { Url = "https://updates.example.net/edge", Channel = "stable" },
            JsonSerializer.Deserialize(files["/usr/lib/appliance/update.json"], ImageSettingsJson.Default.UpdateSettings), strict: true);
    }

    [Fact]
    public void WriteTo_Health_BakesInWhatTheDeviceReadsBack()
    {
        var file = _folder.Write("50-image.yaml", Files("health: { timeout: 90s, stabilisation: 5s, checks: [{ name: web, http: 'http://localhost/', failures: 3 }] }")["/usr/lib/appliance/health.d/50-image.yaml"]);

        var read = HealthDeclarations.Read(Path.GetDirectoryName(file)!, _folder["nowhere"]);

        Assert.Empty(read.Problems);
        Assert.Equal((TimeSpan.FromSeconds(90), TimeSpan.FromSeconds(5)), (read.Settings.Timeout, read.Settings.Stabilisation));
        Assert.Equal(("web", "http://localhost/", 3), (read.Settings.Checks[0].Name, read.Settings.Checks[0].Http, read.Settings.Checks[0].Failures));
    }

    /// <summary>Keys may come later, by a list.</summary>
    [Fact]
    public void WithSomebodyWhoSignsKeys_TheSshServerIsThere()
    {
        const string Key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@here";
        const string Signers = $"credentials: {{ sshSigners: ['{Key}'] }}";

        Assert.Equal([Key], JsonSerializer.Deserialize(Files(Signers)["/usr/lib/appliance/credentials.json"], ImageSettingsJson.Default.CredentialSettings)!.SshSigners);
        Assert.Contains("openssh-server", RootContent.ImpliedPackages(Definition(Signers, Root)));
        Assert.DoesNotContain("openssh-server", RootContent.ImpliedPackages(Definition("", Root)));
    }

    [Fact]
    public void WriteTo_WithoutUpdates_BakesInNeither()
    {
        var files = Files("");

        Assert.DoesNotContain("/usr/lib/appliance/update.json", files.Keys);
        Assert.DoesNotContain("/usr/lib/appliance/trust/root.json", files.Keys);
    }

    [Fact]
    public void WriteTo_ListsTheStateOfImageAndEngine_EachPathOnce()
    {
        var definition = DefinitionReader.Read(_definition.Write("id: edge\nversion: 1.2.3\nboard: vm-x86_64\nworkloads: { engine: k3s }\nstate: [/var/lib/shop, /var/lib/rancher/k3s/server/db]\n"), DefinitionFolder.Library);
        var content = new RootContent(definition, new WorkloadChoice(definition.Workloads.Engine, [], null), _folder["supervisor"], Directory.CreateDirectory(_folder["releases"]).FullName, _folder["tree"], DefinitionFolder.Library);

        Assert.Equal("/etc/rancher\n/var/lib/appliance/credentials/k3s-certificates\n/var/lib/appliance/credentials/k3s-encryption-key\n/var/lib/appliance/credentials/k3s-token\n/var/lib/appliance/credentials/registry\n/var/lib/rancher/k3s/server\n/var/lib/shop\n", Files(content)["/usr/lib/appliance/state"]);
    }

    [Fact]
    public void WriteTo_ReleasesOfWorkloads_AreWhereTheDeviceReadsThem()
    {
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(_folder["releases/shop"]).FullName, "workload.tar"), "payload");

        Assert.Equal("payload", Files("")["/usr/lib/appliance/workloads/shop/workload.tar"]);
    }

    [Fact]
    public void WriteTo_TheRulesForImages_BakesInWhatTheDeviceReadsBack()
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        File.WriteAllText(Path.Combine(_definition.CreateFolder("keys"), "vendor.pub"), key.ExportSubjectPublicKeyInfoPem());

        var file = Files("workloads: { engine: podman, signatures: [{images: 'example.org/*', key: keys/vendor.pub}, {images: '*'}] }")["/usr/lib/appliance/image-policy.json"];

        var rules = JsonSerializer.Deserialize(file, ImageSettingsJson.Default.SignaturePolicy)!.Rules;
        Assert.Equal([("example.org/*", key.ExportSubjectPublicKeyInfoPem()), ("*", null)], rules.Select(rule => (rule.Images, rule.Key)));
        Assert.DoesNotContain("/usr/lib/appliance/image-policy.json", Files("").Keys);
    }

    [Fact]
    public void WriteTo_WhereThePageListens_BakesInWhatTheDeviceReadsBack()
    {
        var file = Files("access: { listen: '192.0.2.7:8443' }")["/usr/lib/appliance/access.json"];

        Assert.Equal("192.0.2.7:8443", JsonSerializer.Deserialize(file, ImageSettingsJson.Default.AccessSettings)!.Listen);
        Assert.DoesNotContain("/usr/lib/appliance/access.json", Files("").Keys);
    }

    [Fact]
    public void WriteTo_AClientAuthority_BakesItInAsItIs()
    {
        using var authority = new SomeAuthority();
        File.WriteAllText(Path.Combine(_definition.CreateFolder("keys"), "clients.pem"), authority.Pem);

        Assert.Equal(authority.Pem, Files("access: { clientAuthority: keys/clients.pem }")["/usr/lib/appliance/trust/clients.pem"]);
        Assert.DoesNotContain("/usr/lib/appliance/trust/clients.pem", Files("").Keys);
    }

    [Fact]
    public void AddTo_AnotherTrustedRoot_ChangesTheKey() =>
        Assert.NotEqual(Key(Root), Key(SomeRoot.Create()));

    private string Key(string root)
    {
        using var key = new StageKey();
        Content("updates: { root: keys/root.json }", root).AddTo(key);
        return key.Value();
    }

    /// <summary>Target path and content of every generated file.</summary>
    private Dictionary<string, string> Files(RootContent content) =>
        content.WriteTo(_folder["generated"])["FILES"]!.Split('\n').Select(entry => entry.Split('\t'))
            .Where(entry => File.Exists(entry[0])).ToDictionary(entry => entry[1], entry => File.ReadAllText(entry[0]));

    private Dictionary<string, string> Files(string line) => Files(Content(line, Root));

    private RootContent Content(string line, string root)
    {
        var definition = Definition(line, root);
        return new RootContent(definition, new WorkloadChoice(null, [], null), _folder["supervisor"], Directory.CreateDirectory(_folder["releases"]).FullName, _folder["tree"], DefinitionFolder.Library);
    }

    private ImageDefinition Definition(string line, string root)
    {
        File.WriteAllText(Path.Combine(_definition.CreateFolder("keys"), "root.json"), root);
        return DefinitionReader.Read(_definition.Write($"id: edge\nversion: 1.2.3\nboard: vm-x86_64\n{line}\n"), DefinitionFolder.Library);
    }
}
