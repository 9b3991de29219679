using Appliance.Core;
using Appliance.Supervisor.Journal;

namespace Supervisor.Tests.Journal;

/// <summary>The journal through the real journalctl.</summary>
public sealed class JournalReaderTests : IDisposable
{
    private readonly JournalFolder _folder = new JournalFolder()
        .With(JournalFolder.FirstBoot, 6, "shop", "opened")
        .With(JournalFolder.FirstBoot, 3, "till", "no paper")
        .With(JournalFolder.ThisBoot, 6, "shop", @"opened again: 50 % (a+b)")
        .With(JournalFolder.ThisBoot, 4, "till", @"odd \E text")
        .With(JournalFolder.ThisBoot, 6, "shop", new string('x', 5000))
        .Write();
    private readonly JournalReader _reader;

    public JournalReaderTests() => _reader = new JournalReader(_folder.Path);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _reader.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task LinesOfThisBoot_AreShown_TheOldestFirst()
    {
        var lines = await _reader.ReadAsync(new JournalQuery(), Token);

        Assert.Equal(["opened again: 50 % (a+b)", @"odd \E text", "(too long to be shown here; the download has it)"], lines.Select(line => line.Message));
        Assert.Equal(new JournalLine(JournalFolder.Begin.AddSeconds(3), 4, "till", "till.service", @"odd \E text"), lines[1]);
    }

    [Theory]
    [InlineData(null, null, null, null, "opened|no paper|opened again: 50 % (a+b)|odd \\E text")]
    [InlineData("till.service", null, null, null, "no paper|odd \\E text")]
    [InlineData(null, 3, null, null, "no paper")]
    [InlineData(null, 4, "0", null, "odd \\E text")]
    [InlineData(null, null, "-1", null, "opened|no paper")]
    [InlineData(null, null, JournalFolder.FirstBoot, null, "opened|no paper")]
    [InlineData(null, null, null, "OPENED", "opened|opened again: 50 % (a+b)")]
    [InlineData(null, null, null, "(a+b)", "opened again: 50 % (a+b)")]
    [InlineData(null, null, null, "(a.b)", "")]
    [InlineData(null, null, null, "d \\E t", "odd \\E text")]
    public async Task LinesAreChosen(string? unit, int? priority, string? boot, string? text, string expected)
    {
        var lines = await _reader.ReadAsync(new JournalQuery { Unit = unit, Priority = priority, Boot = boot, Text = text }, Token);

        Assert.Equal(expected, string.Join('|', lines.Select(line => line.Message).Where(message => message[0] != '(')));
    }

    [Fact]
    public async Task TheLatestLines_AreTheOnesThatAreShown() =>
        Assert.Equal([@"odd \E text", "(too long to be shown here; the download has it)"], (await _reader.ReadAsync(new JournalQuery { Boot = null, Lines = 2 }, Token)).Select(line => line.Message));

    [Theory]
    [InlineData("--output=export", null)]
    [InlineData("a b", null)]
    [InlineData(null, "--help")]
    [InlineData(null, "1 --flush")]
    public async Task WhatIsNoUnitOrBoot_IsRefused_AndReachesNoCommandLine(string? unit, string? boot) =>
        await Assert.ThrowsAsync<UserError>(() => _reader.ReadAsync(new JournalQuery { Unit = unit, Boot = boot ?? "0" }, Token));

    /// <summary>As <c>/proc/sys/kernel/random/boot_id</c> writes it, and the engine keeps it.</summary>
    [Fact]
    public async Task TheKernelsIdOfABoot_FindsItsLines() =>
        Assert.Equal(2, (await _reader.TailAsync(Guid.Parse(JournalFolder.FirstBoot).ToString(), 10, Token)).Count);

    [Fact]
    public async Task Boots_AreListed()
    {
        var boots = await _reader.BootsAsync(Token);

        Assert.Equal([new JournalBoot(JournalFolder.FirstBoot, JournalFolder.Begin, JournalFolder.Begin.AddSeconds(1)), new(JournalFolder.ThisBoot, JournalFolder.Begin.AddSeconds(2), JournalFolder.Begin.AddSeconds(4))], boots);
    }

    /// <summary>journalctl prints the list as one line.</summary>
    [Fact]
    public async Task ManyBoots_AreListed_AllOfThem()
    {
        using var folder = new JournalFolder();
        for (var boot = 1; boot <= 300; boot++) folder.With($"{boot:x32}", 6, "shop", "opened");
        using var reader = new JournalReader(folder.Write().Path);

        Assert.Equal(300, (await reader.BootsAsync(Token)).Count);
    }

    [Fact]
    public async Task AnExport_HasEverythingAsText()
    {
        using var stream = new MemoryStream();

        await _reader.ExportAsync(new JournalQuery { Boot = null }, stream, Token);

        var lines = System.Text.Encoding.UTF8.GetString(stream.ToArray()).TrimEnd().Split('\n');
        Assert.Equal(5, lines.Length);
        Assert.EndsWith("till: no paper", lines[1], StringComparison.Ordinal);
        Assert.EndsWith(new string('x', 5000), lines[4], StringComparison.Ordinal);
    }

    /// <summary>Whoever goes away takes the program along.</summary>
    [Fact]
    public async Task AnExportThatNobodyTakes_Ends()
    {
        await using var closed = new MemoryStream();
        await closed.DisposeAsync();

        await Assert.ThrowsAnyAsync<ObjectDisposedException>(() => _reader.ExportAsync(new JournalQuery { Boot = null }, closed, Token));
    }

    [Fact]
    public async Task AJournalThatIsNotThere_IsSaid()
    {
        using var reader = new JournalReader("/nowhere");

        Assert.StartsWith("The journal cannot be read: ", (await Assert.ThrowsAsync<UserError>(() => reader.ReadAsync(new JournalQuery(), Token))).Message, StringComparison.Ordinal);
    }
}
