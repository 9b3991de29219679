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
}
