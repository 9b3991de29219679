using Appliance.Supervisor.Updates;

namespace Supervisor.Tests.Updates;

/// <summary>What the engine remembers, on the disk.</summary>
public sealed class UpdateStoreTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("store");

    private string FilePath => Path.Combine(_folder.FullName, "update.json");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void WithoutAFile_NothingIsRemembered() => Assert.Equal(EnginePhase.Idle, new UpdateStore(FilePath).Read().Phase);

    [Fact]
    public void WhatWasWritten_IsRead()
    {
        var state = new UpdateState
        {
            Phase = EnginePhase.Probation,
            Pending = new PendingUpdate { Version = "1.1", From = "1.0", Slot = "b", InstalledBy = "boot-1", Reboot = false, Boots = [new TrialBoot("boot-2", DateTimeOffset.UnixEpoch, ["web: refused"])], GivenUp = "ada", NotTried = 1 },
            Failed = [new FailedVersion { Version = "0.9", Reason = "why", Failures = ["a"], Journal = ["b"] }],
            LastCheck = new LastCheck(DateTimeOffset.UnixEpoch, "available", "1.1", ""),
        };

        new UpdateStore(FilePath).Write(state.With(new HistoryEntry(DateTimeOffset.UnixEpoch, "installed", "1.1", "1.0", "by ada")));

        var read = new UpdateStore(FilePath).Read();
        Assert.Equivalent(state with { History = read.History }, read, strict: true);
        Assert.Equal("by ada", Assert.Single(read.History).Detail);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"phase\":\"Down")]
    [InlineData("null")]
    [InlineData("{\"format\":2,\"phase\":\"Dancing\"}")]
    [InlineData("{\"format\":2}")]
    public void AFileThatCannotBeUsed_IsPutAside_AndTheDeviceStarts(string text)
    {
        File.WriteAllText(FilePath, text);

        Assert.Equal(EnginePhase.Idle, new UpdateStore(FilePath).Read().Phase);

        Assert.Equal(text, File.ReadAllText(FilePath + ".unusable"));
        Assert.False(File.Exists(FilePath));
    }

    [Fact]
    public void HistoryAndFailedVersions_DoNotGrowForEver()
    {
        var state = new UpdateState();
        for (var i = 0; i < 100; i++) state = state.With(new HistoryEntry(DateTimeOffset.UnixEpoch, "failed", $"{i}", "1.0", "")).With(new FailedVersion { Version = $"{i}", Reason = "", Journal = [.. Enumerable.Repeat(new string('\u0001', 300), 80)] });

        Assert.Equal((UpdateState.LongestHistory, "99"), (state.History.Count, state.History[^1].Version));
        Assert.Equal((UpdateState.MostFailed, "99"), (state.Failed.Count, state.Failed[^1].Version));
        // Nothing that is kept makes a file that is too large to be read again.
        new UpdateStore(FilePath).Write(state);
        Assert.Equal(state.Failed.Count, new UpdateStore(FilePath).Read().Failed.Count);
    }
}
