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

    /// <summary>What is kept has to come back, too, and k3s must not stand still because it cannot.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public async Task WithoutRoomForTheCopies_NothingIsTouched(int kind)
    {
        using var scene = new KubernetesScene((KubernetesSecret)kind);
        Directory.CreateDirectory(scene["var/rotations"]);
        using var disk = new SmallDisk(scene["var/rotations"], "16m");

        var error = await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync());

        Assert.Contains("are needed to keep what there is and to bring it back", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, await scene.UsedAsync());
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

    /// <summary>The API has for a while what the node said before its restart.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public async Task WhatTheNodeSaidBeforeTheRestart_IsNotBelieved(int kind)
    {
        using var scene = new KubernetesScene((KubernetesSecret)kind);
        Assert.Equal(0, await scene.UsedAsync());
        scene.Silences = 1000;
        Assert.Contains("the node has said nothing since", (await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AtTheMachinesStart_TheNodeHasItsTime_AndTheRotationGoesOn()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Certificates) { Within = TimeSpan.FromMinutes(10) };
        var engine = new RotationEngine(scene["var/rotations"], scene.Time) { OnProgress = step => { if (step == RotationStep.Proving) throw new Boot.PowerCutException(); } };
        await Assert.ThrowsAsync<Boot.PowerCutException>(() => engine.RotateAsync(scene.Credential, "a test", false, null, TestContext.Current.CancellationToken));
        scene.Silences = 1;
        await scene.BootAsync();
        await scene.ResumeAsync();
        Assert.Equal(1, await scene.UsedAsync());
    }

    [Fact]
    public async Task ANodeThatHasHadItsTime_IsNotWaitedFor()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Token) { Unready = "passphrase", Within = TimeSpan.FromMinutes(10) };
        scene.Time.Now += TimeSpan.FromHours(1);
        Assert.Contains("proving", (await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task K3sHasItsWholeTimeToStart()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Certificates) { Within = TimeSpan.FromMinutes(10) };
        await scene.RotateAsync();
        Assert.Equal(TimeSpan.FromMinutes(10), scene.Units.LastLimit);
    }

    [Fact]
    public async Task ANodeThatIsNotReady_HasItsK3sNotStarted()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Token) { Unready = "passphrase" };
        await scene.Units.StopAsync("k3s.service", TimeSpan.Zero, CancellationToken.None);
        await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync());
        Assert.False(await scene.Units.IsActiveAsync("k3s.service", CancellationToken.None));
        Assert.False((await scene.ResumeAsync()).IsUnderWay);
    }

    [Fact]
    public void Certificates_AreDueBeforeK3sWouldLeaveThem()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Certificates);
        var facts = scene.Credential.Read()!;
        Assert.Equal(facts.ExpiresAt - TimeSpan.FromDays(120), scene.Credential.DueAt(facts, new RotationRecord()));
        Assert.Equal(new DateTimeOffset(2027, 1, 2, 0, 0, 0, TimeSpan.Zero), facts.ExpiresAt); // not that of what k3s has left behind
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 0, 0, 0, TimeSpan.Zero), facts.IssuedAt); // not the authority's
    }

    [Fact]
    public void Certificates_ThatNeverLastLong_AreNotChangedEveryDay()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Certificates);
        var facts = scene.Credential.Read()! with { ExpiresAt = scene.Time.Now.AddDays(90) };
        Assert.Equal(scene.Time.Now.AddDays(30), scene.Credential.DueAt(facts, new RotationRecord { RotatedAt = scene.Time.Now }));
    }

    [Fact]
    public async Task CertificatesThatStay_AreNamed_AndAllComesBack()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Certificates) { Kept = "etcd/client" };
        var error = await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync());
        Assert.Contains("k3s has made no new certificates: etcd/client.", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, await scene.UsedAsync());
    }

    [Fact]
    public async Task Certificates_TakeNothingOfTheDatastoreWithThem()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Certificates) { Kept = "etcd/client" };
        scene.Units.OnStop = _ => scene.Written = "1"; // after all that was kept, had it been
        await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync());
        Assert.Equal("1", scene.Written);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task KeysOfBefore_AreGone_WithTheOldOnes(bool isUndone)
    {
        using var scene = new KubernetesScene(KubernetesSecret.Certificates) { Kept = isUndone ? "etcd/client" : null };
        scene.Write("var/lib/rancher/k3s/server/tls-1600000000/client-admin.key", "somebody's own");
        if (isUndone) await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync());
        else await scene.RotateAsync(isEmergency: true);
        Assert.Equal(["tls-1600000000"], Directory.EnumerateDirectories(scene["var/lib/rancher/k3s/server"], "tls-*").Select(Path.GetFileName));
    }

    /// <summary>The copy comes back once: what the node writes after that is there still, whenever the power goes.</summary>
    [Theory, InlineData((int)KubernetesSecret.Token), InlineData((int)KubernetesSecret.EncryptionKey)]
    public async Task WhatIsWrittenAfterTheCopyIsBack_IsNotLost(int kind)
    {
        for (var cut = 1; ; cut++)
        {
            using var scene = new KubernetesScene((KubernetesSecret)kind);
            var (inner, starts) = (scene.Units.OnStart, 0);
            scene.Units.OnStart = async unit =>
            {
                await inner(unit);
                scene.Unready = ++starts == 2 ? "passphrase" : null;
                if (starts == 2) (scene.Written, scene.CutAt) = ("with the new one", scene.Steps + cut);
            };
            var error = await Record.ExceptionAsync(() => scene.RotateAsync());
            if (error is UserError)
            {
                Assert.Equal("before", scene.Written);
                Assert.InRange(cut, 8, 100); // there is no such step
                return;
            }
            Assert.IsType<Boot.PowerCutException>(error);
            await scene.BootAsync();
            var isBack = scene.Written == "before";
            if (isBack) scene.Written = "after";
            var record = await scene.ResumeAsync();
            Assert.True(scene.Written == (isBack ? "after" : record.Trouble is null ? "with the new one" : "before"), $"cut {cut}: {scene.Written}, and the copy was {(isBack ? "" : "not ")}back");
        }
    }

    /// <summary>What the node has written is lost only where the change itself was interrupted.</summary>
    [Theory, InlineData((int)KubernetesSecret.Certificates), InlineData((int)KubernetesSecret.Token), InlineData((int)KubernetesSecret.EncryptionKey)]
    public async Task WhatIsWrittenBetweenInterruptions_IsNotLost(int kind)
    {
        var (lost, wasTried) = (0, false);
        for (var (first, isCut) = (1, true); isCut; first++)
        {
            for (var (second, isCutAgain) = (1, true); isCutAgain; second++)
            {
                using var scene = new KubernetesScene((KubernetesSecret)kind) { CutAt = first };
                isCut = await IsCutAsync(scene.RotateAsync(isEmergency: true));
                if (!isCut) break;
                await scene.BootAsync();
                var isChanging = scene.IsChanging;
                // Where nothing comes back, the second time is as the first.
                if (isChanging && !wasTried)
                {
                    scene.CutAt = second;
                    isCutAgain = await IsCutAsync(scene.ResumeAsync());
                    await scene.BootAsync();
                    isChanging = scene.IsChanging;
                }
                else isCutAgain = false;
                scene.Written = "since";
                await scene.ResumeAsync();
                await scene.UsedAsync();
                if (isChanging && kind != (int)KubernetesSecret.Certificates) lost++;
                else Assert.True(scene.Written == "since", $"cut {first}, {second}: {scene.Written}");
                wasTried |= second > 1 && !isCutAgain;
            }
        }
        Assert.Equal(kind != (int)KubernetesSecret.Certificates, lost > 0);
        Assert.True(wasTried);

        static async Task<bool> IsCutAsync(Task<RotationRecord> rotation) => await Record.ExceptionAsync(() => rotation) switch { null => false, Boot.PowerCutException => true, var other => throw other };
    }

    [Fact]
    public async Task TheNewToken_IsForRootsEyesOnly_AndYamlsText()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Token);
        await scene.RotateAsync();
        var settings = scene["etc/rancher/k3s/config.yaml.d/90-appliance-token.yaml"];
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(settings));
        Assert.Matches("^token: \"[0-9a-f]{48}\"$", (await File.ReadAllLinesAsync(settings, TestContext.Current.CancellationToken))[^1]); // 12e45 without quotes is a number
    }

    /// <summary>k3s' program ends before k3s has encrypted them all.</summary>
    [Fact]
    public async Task ManySecrets_AreWaitedFor()
    {
        using var scene = new KubernetesScene(KubernetesSecret.EncryptionKey) { Within = TimeSpan.FromMinutes(10) };
        scene.Write("many-secrets", "");
        await scene.RotateAsync();
        Assert.Equal(1, await scene.UsedAsync());
    }

    [Fact]
    public async Task AKeyThatStays_IsNoNewOne()
    {
        using var scene = new KubernetesScene(KubernetesSecret.EncryptionKey);
        scene.Write("count", "-1"); // the next is key 0 again
        Assert.Contains("k3s still has the key of before", (await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData((int)KubernetesSecret.Token, true)]
    [InlineData((int)KubernetesSecret.EncryptionKey, true)]
    [InlineData((int)KubernetesSecret.EncryptionKey, false)]
    public async Task ADatastoreOfSeveralServers_IsLeftAlone(int kind, bool isEmbedded)
    {
        using var scene = new KubernetesScene((KubernetesSecret)kind);
        if (isEmbedded) Directory.CreateDirectory(scene["var/lib/rancher/k3s/server/db/etcd"]);
        else File.Move(scene["var/lib/rancher/k3s/server/db/state.db"], scene["elsewhere"]);
        Assert.Contains("The datastore is not this node's alone", (await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync())).Message, StringComparison.Ordinal);
        Assert.True(await scene.Units.IsActiveAsync("k3s.service", CancellationToken.None));
    }

    [Fact]
    public async Task ANodeWithoutAControlPlane_ShowsItsCertificates_AndRenewsThemAtItsStart()
    {
        using var scene = new KubernetesScene(KubernetesSecret.Certificates) { IsAgent = true };
        var facts = scene.Credential.Read()!;
        Assert.Equal("1 certificates", facts.Identity);
        Assert.Equal(new DateTimeOffset(2027, 1, 2, 0, 0, 0, TimeSpan.Zero), facts.ExpiresAt);
        Assert.Null(scene.Credential.DueAt(facts, new RotationRecord()));
        Assert.False(scene.Credential.CanRotate);
        Assert.Contains("This node has no control plane", (await Assert.ThrowsAsync<UserError>(() => scene.RotateAsync())).Message, StringComparison.Ordinal);
    }
}
