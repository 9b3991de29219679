using Appliance.Core;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>What k3s keeps secret, against a stand-in for it (<see cref="KubernetesScene"/>).</summary>
public sealed class KubernetesCredentialTests
{
    public static TheoryData<int> Kinds => [.. Enum.GetValues<KubernetesSecret>().Select(kind => (int)kind)];

    [Theory, MemberData(nameof(Kinds))]
    public async Task ItIsChanged_AndTheNodeIsReady(int kind)
    {
        using var scene = new KubernetesScene((KubernetesSecret)kind);
        await scene.RotateAsync();
        Assert.Equal(1, await scene.UsedAsync());
        await scene.BootAsync();
        Assert.Equal(1, await scene.UsedAsync());
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task WhenTheNodeIsNotReadyAfterwards_AllComesBack(int kind)
    {
        using var scene = new KubernetesScene((KubernetesSecret)kind);
        var (datastore, inner, starts) = (scene.Datastore, scene.Units.OnStart, 0);
        scene.Units.OnStart = async unit =>
        {
            await inner(unit);
            // The last start of the switch; what comes after it brings the old ones back.
            scene.Unready = ++starts == ((KubernetesSecret)kind == KubernetesSecret.Certificates ? 1 : 2) ? "passphrase" : null;
        };

        var error = await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync());
        Assert.Contains("confirming", error.Message, StringComparison.Ordinal);
        Assert.Contains("The node is not ready", error.Message, StringComparison.Ordinal);
        Assert.Equal(datastore, scene.Datastore);
        Assert.Equal(0, await scene.UsedAsync());
    }

    [Fact]
    public async Task ANodeThatIsNotReady_IsLeftAlone()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Token) { Unready = "passphrase" };
        Assert.Contains("proving", (await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync())).Message, StringComparison.Ordinal);
        scene.Unready = null;
        Assert.Equal(0, await scene.UsedAsync());
    }

    [Fact]
    public void Certificates_AreDueBeforeK3sWouldLeaveThem()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Certificates);
        var facts = scene.Credential.Read()!;
        Assert.Equal(facts.ExpiresAt - TimeSpan.FromDays(120), scene.Credential.DueAt(facts, new RotationRecord()));
        Assert.Equal(new DateTimeOffset(2027, 1, 2, 0, 0, 0, TimeSpan.Zero), facts.ExpiresAt);
    }
}
