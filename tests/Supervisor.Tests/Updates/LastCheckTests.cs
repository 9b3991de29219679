using Appliance.Supervisor.Updates;

namespace Supervisor.Tests.Updates;

/// <summary>What is kept of a look for a version.</summary>
public sealed class LastCheckTests
{
    private static readonly LastCheck Planned = new(DateTimeOffset.UnixEpoch, "available", "1.1", "", 1000, "Faster.");

    [Theory]
    [InlineData(null, null)]
    [InlineData(" \r\n ", null)]
    [InlineData("Faster.\r\n\tAnd smaller.\n", "Faster.\n\tAnd smaller.")]
    [InlineData("\u001b[2Jclean\u0000\u0085", "[2Jclean")]
    public void Notes_AreText_WithoutWhatATerminalObeys(string? given, string? kept) => Assert.Equal(kept, LastCheck.Kept(given));

    [Fact]
    public void OfLongNotes_TheBeginningIsKept_InWholeCharacters()
    {
        var kept = LastCheck.Kept(new string('x', LastCheck.LongestNotes - 2) + "\U0001F680 and on");

        Assert.Equal(new string('x', LastCheck.LongestNotes - 2) + "…", kept);
    }

    [Fact]
    public void ALookThatAskedForLess_SaysNoLessOfTheSameVersion()
    {
        var brief = Planned with { DownloadBytes = null, Notes = null };

        Assert.Equal(Planned, brief.After(Planned));
        Assert.Equal(brief, brief.After(null));
        Assert.Equal(brief with { Version = "1.2" }, (brief with { Version = "1.2" }).After(Planned));
        Assert.Equal(brief with { Verdict = "failedBefore" }, (brief with { Verdict = "failedBefore" }).After(Planned));
        Assert.Equal("Other.", (Planned with { Notes = "Other." }).After(Planned).Notes);
    }

    [Theory]
    [InlineData("available", "1.1", "upToDate")]
    [InlineData("failedBefore", "1.1", "upToDate")]
    [InlineData("available", "1.0", "available")]
    [InlineData("failedBefore", "1.0", "available")]
    [InlineData("waiting", "1.0", "waiting")]
    public void WhatRunsByNow_OrWasCleared_ReadsDifferently(string verdict, string running, string expected) =>
        Assert.Equal(Planned with { Verdict = expected }, (Planned with { Verdict = verdict }).Now(running, []));

    [Fact]
    public void WhatFailedSince_IsOfferedNoMore()
    {
        FailedVersion[] failed = [new FailedVersion { Version = "1.1", Reason = "it was not healthy", At = DateTimeOffset.UnixEpoch }];

        Assert.Equal("failedBefore", Planned.Now("1.0", failed).Verdict);
        Assert.Equal("available", (Planned with { Version = "1.2" }).Now("1.0", failed).Verdict);
    }
}
