using System.Formats.Tar;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Workloads;

namespace Supervisor.Tests.Workloads;

/// <summary>A release is applied whole or not at all, wherever the power goes.</summary>
public sealed class ReleaseTransactionTests : IDisposable
{
    private const int Enough = 200;
    private static readonly ReleaseTiming Quick = new() { Timeout = TimeSpan.FromSeconds(20), Dwell = TimeSpan.Zero, Grace = TimeSpan.Zero, Interval = TimeSpan.FromMilliseconds(1) };

    /// <summary>What each version has: they share some objects, and each has one of its own.</summary>
    private static readonly Dictionary<string, string[]> Contents = new() { ["1"] = ["words", "web", "old"], ["2"] = ["words", "web", "new"], ["3"] = ["web", "third"] };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("releases");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    private static ReleaseTransaction Transaction(string folder, ModelEngine engine, Action<string>? onStep = null, ReleaseTiming? timing = null) =>
        new(new WorkloadStore(folder) { OnStep = onStep }, engine, timing ?? Quick, TimeProvider.System);

    /// <summary>A store with every payload in it, as it is when they have been fetched.</summary>
    private static string Filled(string folder)
    {
        foreach (var (version, names) in Contents)
        {
            var path = new WorkloadStore(folder).PayloadOf(version);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var release = new WorkloadRelease
            {
                Format = 1,
                Id = "shop",
                Version = version,
                Architecture = "amd64",
                Images = [Image("base", "all"), Image("web", version)],
                Objects = [.. names.Select(name => new JsonObject { ["apiVersion"] = "v1", ["kind"] = "ConfigMap", ["metadata"] = new JsonObject { ["name"] = name } })],
            };
            using var tar = new TarWriter(File.Create(path));
            tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, WorkloadRelease.MemberName) { DataStream = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(release, WorkloadJson.Default.WorkloadRelease)) });
        }
        return folder;
    }

    /// <summary>An image whose content is named by a word; versions with one content share it.</summary>
    private static WorkloadImage Image(string name, string content)
    {
        var (reference, digest) = (ImageReference.TryParse($"example.org/{name}:1")!, OciDigest.Of(Encoding.UTF8.GetBytes(content)));
        return new WorkloadImage { Reference = reference.ToString(), Pinned = reference.Pin(digest).ToString(), Manifest = digest, Source = digest, Config = digest };
    }

    private static void AssertIsWhole(string folder, ModelEngine engine, string? version)
    {
        var state = new WorkloadStore(folder).Read();
        Assert.Null(state.Trial);
        Assert.Equal(version, state.Current);
        Assert.Equal(version is null ? [] : Contents[version].Order(StringComparer.Ordinal).Select(name => ($"ConfigMap {name}", version)), engine.Objects.Select(entry => (entry.Key, entry.Value)));
        foreach (var kept in new[] { state.Current, state.Previous }.OfType<string>())
        {
            Assert.True(File.Exists(new WorkloadStore(folder).PayloadOf(kept)), $"the payload of {kept} is gone");
            Assert.Superset(new HashSet<string> { Image("base", "all").Pinned, Image("web", kept).Pinned }, new HashSet<string>(engine.Images));
        }
    }

    [Fact]
    public async Task AGoodRelease_ReplacesTheOneBefore_AndWhatOnlyThatHadIsDeleted()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        Assert.Equal(ReleaseTransaction.Applied, (await Transaction(folder, engine).ApplyAsync("1", false, Token, Token)).Outcome);
        AssertIsWhole(folder, engine, "1");

        Filled(folder);
        Assert.Equal(ReleaseTransaction.Applied, (await Transaction(folder, engine).ApplyAsync("2", false, Token, Token)).Outcome);

        AssertIsWhole(folder, engine, "2");
        Assert.Equal("1", new WorkloadStore(folder).Read().Previous);
        Assert.False(File.Exists(new WorkloadStore(folder).PayloadOf("3")));
    }

    [Theory]
    [InlineData("1")]
    [InlineData(null)]
    public async Task ABadRelease_IsTakenBackWhole_WithTheReason_AndNotTriedAgain(string? before)
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        if (before is not null) await Transaction(folder, engine).ApplyAsync(before, false, Token, Token);
        Filled(folder);
        engine.Readiness = version => version == "2" ? Readiness.Failed("it crashes") : Readiness.Ready("");

        var ended = await Transaction(folder, engine).ApplyAsync("2", false, Token, Token);

        Assert.Equal((ReleaseTransaction.Reverted, before), (ended.Outcome, ended.From));
        Assert.Contains("ConfigMap words: it crashes", ended.Detail, StringComparison.Ordinal);
        AssertIsWhole(folder, engine, before);
        Filled(folder);
        var error = await Assert.ThrowsAsync<UserError>(() => Transaction(folder, engine).ApplyAsync("2", false, Token, Token));
        Assert.Contains("it crashes", error.Message, StringComparison.Ordinal);
        engine.Readiness = _ => Readiness.Ready("");
        Assert.Equal(ReleaseTransaction.Applied, (await Transaction(folder, engine).ApplyAsync("2", force: true, Token, Token)).Outcome);
    }

    [Fact]
    public async Task AReleaseThatWasBegun_IsNotGoneOnWith_WhereItsImagesMayNotRun()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        engine.OnStep = step =>
        {
            if (step == "look") throw new IOException("the power goes");
        };
        await Assert.ThrowsAsync<IOException>(() => Transaction(folder, engine).ApplyAsync("1", false, Token, Token));
        engine.OnStep = null;
        var strict = new SignaturePolicy { Rules = [new SignatureRule { Images = "example.com/*" }] };

        var ended = await new ReleaseTransaction(new WorkloadStore(folder), engine, Quick, TimeProvider.System) { Policy = strict }.ResumeAsync(Token);

        Assert.Equal(ReleaseTransaction.Reverted, ended!.Outcome);
        Assert.Contains("no rule allows it", ended.Detail, StringComparison.Ordinal);
        Assert.Empty(engine.Objects);
    }

    [Fact]
    public async Task AReleaseThatIsNeverReady_IsTakenBack_WhenItsTimeIsOver()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
        Filled(folder);
        engine.Readiness = version => version == "2" ? Readiness.Waiting("0 of 1 ready") : Readiness.Ready("");

        var ended = await Transaction(folder, engine, timing: Quick with { Timeout = TimeSpan.FromMilliseconds(50) }).ApplyAsync("2", false, Token, Token);

        Assert.Contains("not ready after 0 s: ConfigMap words: 0 of 1 ready", ended.Detail, StringComparison.Ordinal);
        AssertIsWhole(folder, engine, "1");
    }

    [Fact]
    public async Task Cancelling_BringsTheOldOneBack()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
        Filled(folder);
        using var cancel = new CancellationTokenSource();
        engine.Readiness = version =>
        {
            if (version == "2") cancel.Cancel();
            return version == "2" ? Readiness.Waiting("") : Readiness.Ready("");
        };

        var ended = await Transaction(folder, engine).ApplyAsync("2", false, cancel.Token, Token);

        Assert.Equal("it was cancelled", ended.Detail);
        AssertIsWhole(folder, engine, "1");
    }

    [Fact]
    public async Task WhatFailsForAMoment_IsNoFailure()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        var looks = 0;
        engine.Readiness = _ => ++looks is > 3 and < 9 ? Readiness.Failed("it flickers") : Readiness.Ready("");

        var ended = await Transaction(folder, engine, timing: Quick with { Grace = TimeSpan.FromSeconds(10), Dwell = TimeSpan.FromMilliseconds(30) }).ApplyAsync("1", false, Token, Token);

        Assert.Equal(ReleaseTransaction.Applied, ended.Outcome);
        Assert.True(looks > 9);
    }

    [Fact]
    public async Task TheRunningRelease_AppliedAgainAndNotReady_IsStillOneThatCanBeApplied()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
        engine.Readiness = _ => Readiness.Failed("it crashes");
        Assert.Equal(ReleaseTransaction.Failed, (await Transaction(folder, engine).ApplyAsync("1", false, Token, Token)).Outcome);
        engine.Readiness = _ => Readiness.Ready("");

        Assert.Equal(ReleaseTransaction.Applied, (await Transaction(folder, engine).ApplyAsync("1", false, Token, Token)).Outcome);
        AssertIsWhole(folder, engine, "1");
    }

    [Fact]
    public async Task LongReasons_DoNotFillTheState()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        engine.Readiness = _ => Readiness.Failed(new string('x', 100_000));
        for (var round = 0; round < 60; round++)
        {
            Filled(folder);
            await Transaction(folder, engine).ApplyAsync("1", force: true, Token, Token);
        }

        Assert.Equal(WorkloadState.LongestHistory, new WorkloadStore(folder).Read().History.Count);
    }

    [Fact]
    public async Task AStoppedProgram_LeavesTheRestToTheNext()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
        Filled(folder);
        using var stop = new CancellationTokenSource();
        engine.Readiness = version =>
        {
            if (version == "2") stop.Cancel();
            return version == "2" ? Readiness.Waiting("") : Readiness.Ready("");
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Transaction(folder, engine).ApplyAsync("2", false, Token, stop.Token));
        engine.Readiness = _ => Readiness.Ready("");

        Assert.Equal(ReleaseTransaction.Applied, (await Transaction(folder, engine).ResumeAsync(Token))!.Outcome);
        AssertIsWhole(folder, engine, "2");
    }

    [Fact]
    public async Task ARefusedRelease_ChangesNothing()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
        Filled(folder);
        engine.Refused.Add("2");

        await Assert.ThrowsAsync<UserError>(() => Transaction(folder, engine).ApplyAsync("2", false, Token, Token));

        AssertIsWhole(folder, engine, "1");
        Assert.Null(new WorkloadStore(folder).Read().WhyNotKept("2"));
    }

    [Fact]
    public async Task AnEngineThatIsAway_DecidesNothing()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
        Filled(folder);
        engine.OnStep = step =>
        {
            if (step == "look") throw new EngineUnavailableException("away");
        };
        await Assert.ThrowsAsync<EngineUnavailableException>(() => Transaction(folder, engine).ApplyAsync("2", false, Token, Token));
        for (var again = 0; again < 5; again++) await Assert.ThrowsAsync<EngineUnavailableException>(() => Transaction(folder, engine).ResumeAsync(Token));
        Assert.NotNull(new WorkloadStore(folder).Read().Trial);
        engine.OnStep = null;

        Assert.Equal(ReleaseTransaction.Applied, (await Transaction(folder, engine).ResumeAsync(Token))!.Outcome);
    }

    [Fact]
    public async Task ImagesOfTheReleaseBefore_Stay_AndOlderOnesGo()
    {
        var (folder, engine) = (_folder.FullName, new ModelEngine());
        foreach (var version in new[] { "1", "2", "3" })
        {
            Filled(folder);
            await Transaction(folder, engine).ApplyAsync(version, false, Token, Token);
        }

        Assert.Equal(new[] { Image("base", "all").Pinned, Image("web", "2").Pinned, Image("web", "3").Pinned }.ToHashSet(), engine.Images.ToHashSet());
    }

    [Fact]
    public async Task NoRoomForImages_ChangesNothing_AndSaysNothingOfTheRelease()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
        Filled(folder);
        engine.Full = true;

        await Assert.ThrowsAsync<UserError>(() => Transaction(folder, engine).ApplyAsync("2", false, Token, Token));

        AssertIsWhole(folder, engine, "1");
        engine.Full = false;
        Assert.Equal(ReleaseTransaction.Applied, (await Transaction(folder, engine).ApplyAsync("2", false, Token, Token)).Outcome);
    }

    [Fact]
    public async Task GoingBack_BringsTheReleaseBefore_AndTheOtherIsNotTakenByItself()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Assert.ThrowsAsync<UserError>(() => Transaction(folder, engine).GoBackAsync("somebody", Token, Token));
        foreach (var version in new[] { "1", "2" })
        {
            Filled(folder);
            await Transaction(folder, engine).ApplyAsync(version, false, Token, Token);
        }

        Assert.Equal((ReleaseTransaction.Applied, "1"), (await Transaction(folder, engine).GoBackAsync("somebody", Token, Token)) is var ended ? (ended.Outcome, ended.Version) : default);

        AssertIsWhole(folder, engine, "1");
        Assert.Equal("2", new WorkloadStore(folder).Read().Previous);
        Assert.Contains("somebody went back from it", (await Assert.ThrowsAsync<UserError>(() => Transaction(folder, engine).ApplyAsync("2", false, Token, Token))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GivingUp_WhatWasStopped_BringsTheOldOneBack()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
        Filled(folder);
        using var stop = new CancellationTokenSource();
        engine.Readiness = version =>
        {
            if (version == "2") stop.Cancel();
            return Readiness.Ready("");
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Transaction(folder, engine, timing: Quick with { Dwell = TimeSpan.FromHours(1) }).ApplyAsync("2", false, Token, stop.Token));

        ReleaseTransaction.GiveUp(new WorkloadStore(folder), "somebody stopped it");
        var ended = await Transaction(folder, engine).ResumeAsync(Token);

        Assert.Equal((ReleaseTransaction.Reverted, "somebody stopped it"), (ended!.Outcome, ended.Detail));
        AssertIsWhole(folder, engine, "1");
        ReleaseTransaction.GiveUp(new WorkloadStore(folder), "again");
        Assert.Null(await Transaction(folder, engine).ResumeAsync(Token));
    }

    [Fact]
    public async Task Removing_LeavesNothing_WhereverThePowerGoes()
    {
        var cuts = 0;
        for (var at = 1; at < Enough; at++, cuts++)
        {
            var folder = Filled(_folder.CreateSubdirectory($"{at}").FullName);
            var engine = new ModelEngine();
            await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
            var steps = 0;
            void Step(string step)
            {
                if (++steps >= at) throw new PowerIsGone();
            }
            engine.OnStep = Step;
            try
            {
                Assert.Equal(ReleaseTransaction.Removed, (await Transaction(folder, engine, Step).RemoveAsync(Token)).Outcome);
                Assert.False(Directory.Exists(folder));
                break;
            }
            catch (PowerIsGone)
            {
                engine.OnStep = null;
            }

            await Transaction(folder, engine).ResumeAsync(Token);
            if (Directory.Exists(folder)) await Transaction(folder, engine).RemoveAsync(Token);

            Assert.Empty(engine.Objects);
            Assert.False(Directory.Exists(folder));
        }
        Assert.InRange(cuts, 5, Enough - 2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WhereverThePowerGoes_TheNewReleaseIsThereWhole_OrTheOldOne(bool good)
    {
        var cuts = 0;
        for (var at = 1; at < Enough; at++, cuts++)
        {
            var folder = Filled(_folder.CreateSubdirectory($"{at}").FullName);
            var engine = new ModelEngine();
            await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
            Filled(folder);
            engine.Readiness = version => version == "2" && !good ? Readiness.Failed("it crashes") : Readiness.Ready("");
            var steps = 0;
            void Step(string step)
            {
                if (++steps >= at) throw new PowerIsGone();
            }
            engine.OnStep = Step;
            try
            {
                await Transaction(folder, engine, Step).ApplyAsync("2", false, Token, Token);
                break;
            }
            catch (PowerIsGone)
            {
                engine.OnStep = null;
            }

            if (at % 2 == 0)
            {
                // Nobody resumed: the next application does it, and its own payload stays. (Where all but the clearing up was done, that is fetched now.)
                if (new WorkloadStore(folder).Read().Trial is null) Filled(folder);
                await Transaction(folder, engine).ApplyAsync("3", false, Token, Token);
                AssertIsWhole(folder, engine, "3");
                continue;
            }
            await Transaction(folder, engine).ResumeAsync(Token);

            var isNew = new WorkloadStore(folder).Read().Current == "2";
            Assert.True(good || !isNew, $"a release that is not good was kept after a cut at step {at}");
            AssertIsWhole(folder, engine, isNew ? "2" : "1");
            // And a newer one comes as if nothing had been.
            Filled(folder);
            await Transaction(folder, engine).ApplyAsync("3", false, Token, Token);
            AssertIsWhole(folder, engine, "3");
        }
        Assert.InRange(cuts, 8, Enough - 2);
    }

    [Fact]
    public async Task APowerThatGoesEveryTime_EndsWithTheOldRelease()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
        Filled(folder);
        engine.OnStep = step =>
        {
            if (step == "look" && engine.Objects["ConfigMap words"] == "2") throw new PowerIsGone();
        };
        await Assert.ThrowsAsync<PowerIsGone>(() => Transaction(folder, engine).ApplyAsync("2", false, Token, Token));
        for (var boot = 0; boot < 2; boot++) await Assert.ThrowsAsync<PowerIsGone>(() => Transaction(folder, engine).ResumeAsync(Token));

        var ended = await Transaction(folder, engine).ResumeAsync(Token);

        Assert.Contains("interrupted 3 times", ended!.Detail, StringComparison.Ordinal);
        AssertIsWhole(folder, engine, "1");
    }

    [Fact]
    public async Task AnOldReleaseThatCannotComeBack_DoesNotKeepANewerOneOut()
    {
        var (folder, engine) = (Filled(_folder.FullName), new ModelEngine());
        await Transaction(folder, engine).ApplyAsync("1", false, Token, Token);
        File.Delete(new WorkloadStore(Filled(folder)).PayloadOf("1"));
        engine.Readiness = version => version == "2" ? Readiness.Failed("it crashes") : Readiness.Ready("");

        var ended = await Transaction(folder, engine).ApplyAsync("2", false, Token, Token);
        Filled(folder);

        Assert.Contains("could not be brought back", ended.Detail, StringComparison.Ordinal);
        Assert.Equal(ReleaseTransaction.Applied, (await Transaction(folder, engine).ApplyAsync("3", false, Token, Token)).Outcome);
        Assert.Equal("3", engine.Objects["ConfigMap web"]);
    }
}
