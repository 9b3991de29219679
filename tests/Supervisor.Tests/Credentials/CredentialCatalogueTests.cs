using Appliance.Core.Credentials;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Workloads;
using Supervisor.Tests.Workloads;

namespace Supervisor.Tests.Credentials;

/// <summary>The credentials of a node with k3s: the image has both of its units, and one of them is to run.</summary>
public sealed class CredentialCatalogueTests
{
    /// <summary>The image's own unit is enabled, and a condition keeps it from starting.</summary>
    [Fact]
    public void ANodeThatWasToldToBeAnAgent_IsOne()
    {
        using var scene = new FileScene();
        Directory.CreateDirectory(scene["etc/systemd/system/multi-user.target.wants"]);
        File.CreateSymbolicLink(scene["etc/systemd/system/multi-user.target.wants/k3s.service"], "/usr/lib/systemd/system/k3s.service");
        Assert.False(KubernetesOptions.Of(scene.Root).IsAgent);
        scene.Write("etc/rancher/k3s/agent", "");
        Assert.True(KubernetesOptions.Of(scene.Root).IsAgent);
    }

    [Theory]
    [InlineData("k3s.service", true)]
    [InlineData("k3s-agent.service", true)]
    [InlineData("k3s-agent.service", false)]
    public async Task LogInsToRegistries_AreReadByTheUnitThatIsToRun_AndNoOtherIsStarted(string unit, bool isMasked)
    {
        using var scene = new FileScene();
        var other = unit == "k3s.service" ? "k3s-agent.service" : "k3s.service";
        scene.Write("usr/lib/os-release", "IMAGE_ID=\"edge\"\nIMAGE_VERSION=\"1.0\"\nAPPLIANCE_BOARD=\"vm\"\nAPPLIANCE_WORKLOADS=\"k3s\"\n");
        Directory.CreateDirectory(scene["etc/systemd/system/multi-user.target.wants"]);
        File.CreateSymbolicLink(scene[$"etc/systemd/system/multi-user.target.wants/{unit}"], $"/usr/lib/systemd/system/{unit}");
        if (isMasked) File.CreateSymbolicLink(scene[$"etc/systemd/system/{other}"], "/dev/null");
        List<string> started = [];
        scene.Units.OnStart = name =>
        {
            started.Add(name);
            return Task.CompletedTask;
        };
        scene.Units.SetActive(unit);
        scene.Units.Disabled.Add(other);

        var registry = CredentialCatalogue.Open(scene.Root, scene.Units, () => EngineAccess.Of(new ModelEngine()), scene.Time).Single(credential => credential.Name == CredentialNames.Registry);
        await scene.Engine.RotateAsync(registry, "a test", false, "mirrors: {}"u8.ToArray(), TestContext.Current.CancellationToken);

        Assert.Equal([unit], started);
        Assert.Equal("mirrors: {}", await File.ReadAllTextAsync(scene["etc/rancher/k3s/registries.yaml"], TestContext.Current.CancellationToken));
    }
}
