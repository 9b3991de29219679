using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>The power goes at every step of a rotation: at once something whole is used, and what was begun comes to an end. A class for each kind, because they take their time, and classes run side by side.</summary>
public abstract class RotationCrashTests
{
    public static TheoryData<Loss> Losses => [.. Enum.GetValues<Loss>()];

    private protected abstract CredentialScene NewScene();

    [Theory, MemberData(nameof(Losses))]
    public async Task WheneverThePowerGoes_SomethingWholeIsUsed_AndTheRotationEnds(Loss loss)
    {
        var cut = 0;
        for (var done = false; !done;)
        {
            using var scene = New(loss);
            scene.CutAt = ++cut;
            try
            {
                await scene.RotateAsync();
                done = true; // there is no such step
            }
            catch (Boot.PowerCutException)
            {
                await scene.BootAsync();
                if (scene.WorksAtOnce) Assert.InRange(await scene.UsedAsync(), 0, 1);
                if (cut % 2 == 0)
                {
                    // And again, while it is gone on with.
                    scene.CutAt = 4;
                    try
                    {
                        await scene.ResumeAsync();
                    }
                    catch (Boot.PowerCutException)
                    {
                        await scene.BootAsync();
                        if (scene.WorksAtOnce) Assert.InRange(await scene.UsedAsync(), 0, 2);
                    }
                }
            }
            await scene.BootAsync();
            var record = await scene.ResumeAsync();
            Assert.Null(record.Trouble);
            Assert.False(record.IsUnderWay);
            // Where it had begun, it ended; where not, the first one is used. Either way the next one works, and lets go of the old one.
            if (record.RotatedAt is null) Assert.Equal(0, await scene.UsedAsync());
            var before = await scene.UsedAsync();
            record = await scene.RotateAsync(isEmergency: true);
            Assert.Equal(RotationStep.Idle, record.Step);
            Assert.True(await scene.UsedAsync() > before, $"cut {cut}: {before} is used still");
            Assert.Equal(["rotation.json"], Directory.EnumerateFileSystemEntries(Path.Combine(scene["var/rotations"], scene.Credential.Name)).Select(Path.GetFileName).Where(name => !name!.StartsWith(".rotation.json.", StringComparison.Ordinal)));
        }
        Assert.InRange(cut, 12, 200);
    }

    [Theory, MemberData(nameof(Losses))]
    public async Task WheneverThePowerGoes_WhileTheOldOneIsLetGo_TheNewOneIsUsed(Loss loss)
    {
        for (var cut = 1; ; cut++)
        {
            using var scene = New(loss);
            await scene.RotateAsync();
            scene.Time.Now += TimeSpan.FromDays(30);
            await scene.BootAsync();
            scene.CutAt = cut;
            try
            {
                await scene.ResumeAsync();
                Assert.Equal(1, await scene.UsedAsync());
                return;
            }
            catch (Boot.PowerCutException)
            {
                await scene.BootAsync();
                Assert.Equal(1, await scene.UsedAsync());
                Assert.Equal(RotationStep.Idle, (await scene.ResumeAsync()).Step);
                Assert.Equal(1, await scene.UsedAsync());
            }
        }
    }

    private CredentialScene New(Loss loss)
    {
        var scene = NewScene();
        scene.Lose(loss, foreign: scene is KubernetesScene ? "var/lib/rancher/k3s/server" : null);
        return scene;
    }
}

public sealed class FileCrashTests : RotationCrashTests
{
    private protected override CredentialScene NewScene() => new FileScene();
}

public sealed class PageCrashTests : RotationCrashTests
{
    private protected override CredentialScene NewScene() => new PageScene();
}

public sealed class SshHostKeyCrashTests : RotationCrashTests
{
    private protected override CredentialScene NewScene() => new SshScene();
}

public sealed class SshAuthorizedKeysCrashTests : RotationCrashTests
{
    private protected override CredentialScene NewScene() => new SshKeysScene();
}

public sealed class KubernetesCertificatesCrashTests : RotationCrashTests
{
    private protected override CredentialScene NewScene() => new KubernetesScene(KubernetesSecret.Certificates);
}

public sealed class KubernetesTokenCrashTests : RotationCrashTests
{
    private protected override CredentialScene NewScene() => new KubernetesScene(KubernetesSecret.Token);
}

public sealed class KubernetesEncryptionKeyCrashTests : RotationCrashTests
{
    private protected override CredentialScene NewScene() => new KubernetesScene(KubernetesSecret.EncryptionKey);
}
