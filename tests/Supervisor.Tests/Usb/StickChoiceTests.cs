using System.Text;
using Appliance.Supervisor.Usb;

namespace Supervisor.Tests.Usb;

/// <summary>Which bundle of a stick a device takes.</summary>
public sealed class StickChoiceTests : IDisposable
{
    private readonly Stick _stick = new();
    private StickDevice _device = new("edge", "vm", Stick.Architecture, "1.1", null, []);

    public void Dispose() => _stick.Dispose();

    private async Task<StickChoice> ChooseAsync() => StickChoice.Of(await StickBundles.ReadAsync(_stick.Folder, TestContext.Current.CancellationToken), _device);

    [Fact]
    public async Task TheNewestOfThoseForThisDevice_IsTaken()
    {
        _stick.With("a.bundle", "1.9").With("b.BUNDLE", "1.10").With("c.bundle", "2.0", board: "raspberry-pi").With("d.bundle", "3.0", id: "other").With("e.bundle", "1.0")
            .WithText("f.bundle", "no bundle at all").With("g.tar", "9.0").With("._h.bundle", "9.0");

        var choice = await ChooseAsync();

        Assert.Equal(("b.BUNDLE", "1.10"), (choice.Chosen?.Name, choice.Chosen?.Claims?.Version));
        Assert.Collection(choice.Refused,
            reason => Assert.Contains("c.bundle is edge for raspberry-pi", reason, StringComparison.Ordinal),
            reason => Assert.Contains("d.bundle is other for vm", reason, StringComparison.Ordinal),
            reason => Assert.Equal("e.bundle has version 1.0, older than 1.1, which runs", reason),
            reason => Assert.StartsWith("f.bundle is not a usable bundle", reason, StringComparison.Ordinal));
    }

    [Fact]
    public async Task AnEmptyStick_BringsNothing()
    {
        Directory.CreateDirectory(_stick.PathOf("folder.bundle"));

        Assert.Equivalent(new StickChoice(null, [], false), await ChooseAsync());
    }

    /// <summary>A stick that stays in must not install the same again and again.</summary>
    [Fact]
    public async Task AVersionThatFailedHere_IsNotTakenAgain()
    {
        _stick.With("a.bundle", "1.2");
        _device = _device with { Failed = ["1.2"] };

        var choice = await ChooseAsync();

        Assert.Null(choice.Chosen);
        Assert.Contains("a.bundle has version 1.2, which was tried here and not kept", choice.Refused);
    }

    [Theory]
    [InlineData("1.1", null, true)]
    [InlineData("1.2", "1.2", true)]
    [InlineData("1.2", "1.3", false)]
    public async Task WhatRunsOrWaitsForItsRestart_IsNotInstalledAgain(string version, string? pending, bool current)
    {
        _stick.With("a.bundle", version);
        _device = _device with { Pending = pending };

        var choice = await ChooseAsync();

        Assert.Equal((null, current), (choice.Chosen, choice.IsCurrent));
    }

    [Fact]
    public async Task Refuses_WhatIsNoRegularFile_WithoutWaitingForIt()
    {
        StateDevice.Run("mkfifo", _stick.PathOf("a.bundle"));
        File.CreateSymbolicLink(_stick.PathOf("b.bundle"), "/etc/shadow");

        var choice = await ChooseAsync();

        Assert.Null(choice.Chosen);
        Assert.Equal(2, choice.Refused.Count);
        Assert.Contains("no regular file", choice.Refused[0], StringComparison.Ordinal);
        Assert.DoesNotContain("tar", choice.Refused[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_MoreThanABoundedNumber_AndTruncatedOnes()
    {
        for (var i = 0; i < StickBundles.Most + 1; i++) _stick.WithText($"{i:000}.bundle", "");
        _stick.With("x.bundle", "1.2");

        var choice = await ChooseAsync();

        Assert.Null(choice.Chosen);
        Assert.Equal(StickBundles.Most, choice.Refused.Count);
        Assert.Equal("000.bundle is not a usable bundle: it ends too early.", choice.Refused[0]);
    }

    [Fact]
    public async Task ANameMadeForATerminal_IsShownWithoutItsTricks()
    {
        _stick.WithText("\e[2J\n.bundle", "x");

        var shown = Assert.Single((await ChooseAsync()).Refused);

        Assert.DoesNotContain(shown, char.IsControl);
        Assert.StartsWith("?[2J?.bundle", shown, StringComparison.Ordinal);
    }

    /// <summary>Every truncation, and a change of every 7th byte, gives a reason or a choice and nothing else.</summary>
    [Fact]
    public async Task DamagedBundles_NeverDoHarm()
    {
        _stick.With("a.bundle", "1.2");
        var whole = await File.ReadAllBytesAsync(_stick.PathOf("a.bundle"), TestContext.Current.CancellationToken);
        for (var i = 0; i < whole.Length; i += 7)
        {
            var changed = (byte[])whole.Clone();
            changed[i] ^= 0x55;
            await File.WriteAllBytesAsync(_stick.PathOf("a.bundle"), changed, TestContext.Current.CancellationToken);
            var choice = await ChooseAsync();
            Assert.True(choice.Chosen is not null || choice.Refused.Count == 1 || choice.IsCurrent, Encoding.ASCII.GetString(changed));
            await File.WriteAllBytesAsync(_stick.PathOf("a.bundle"), whole[..i], TestContext.Current.CancellationToken);
            await ChooseAsync();
        }
    }
}
