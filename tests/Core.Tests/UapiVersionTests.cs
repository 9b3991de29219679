using System.Diagnostics;
using Appliance.Core;

namespace Core.Tests;

public sealed class UapiVersionTests
{
    /// <summary>Ascending; the examples of the UAPI.10 specification among them.</summary>
    private static readonly string[] Ascending =
    [
        "~1", "", "~", "1~rc1", "1~rc2", "1", "1-1", "1-2", "1-2.1", "1^", "1^post1", "1.1~rc1", "1.1", "1.2", "1.10", "9", "11", "11-1", "11^1", "11.1", "11.2", "11a", "123", "200",
    ];

    [Fact]
    public void Compare_SeparatorsAndNumbers_FollowTheSpecification()
    {
        var ascending = Ascending.Skip(3).ToArray();
        for (var i = 0; i < ascending.Length; i++)
            for (var j = 0; j < ascending.Length; j++)
                Assert.Equal(i.CompareTo(j), Math.Sign(UapiVersion.Compare(ascending[i], ascending[j])));
    }

    [Theory]
    [InlineData("1_2", "12", -1)]
    [InlineData("001", "1", 0)]
    [InlineData("1.01", "1.1", 0)]
    [InlineData("a1", "1", -1)]
    [InlineData("ab", "abc", -1)]
    [InlineData("1.0.0", "1.0", 1)]
    [InlineData("2.0-rc1", "2.0", 1)]
    [InlineData("2.0~rc1", "2.0", -1)]
    [InlineData("1.0.99999999999999999999", "1.0.100000000000000000000", -1)]
    public void Compare_Examples(string a, string b, int expected)
    {
        Assert.Equal(expected, Math.Sign(UapiVersion.Compare(a, b)));
        Assert.Equal(-expected, Math.Sign(UapiVersion.Compare(b, a)));
    }

    /// <summary>systemd-boot orders the entries, so its opinion is the one that counts.</summary>
    [Fact]
    public async Task Compare_AgreesWithSystemd()
    {
        if (!File.Exists("/usr/bin/systemd-analyze")) Assert.Skip("systemd-analyze is not installed");
        var random = new Random(7);
        for (var i = 0; i < 60; i++)
        {
            var (a, b) = (Make(random), Make(random));
            using var peer = Process.Start(new ProcessStartInfo("systemd-analyze", ["compare-versions", "--", a, b]) { RedirectStandardOutput = true })!;
            var text = await peer.StandardOutput.ReadToEndAsync();
            var expected = text.Contains('<') ? -1 : text.Contains('>') ? 1 : 0;
            Assert.True(expected == Math.Sign(UapiVersion.Compare(a, b)), $"systemd says {text}");
        }
    }

    private static string Make(Random random) => new(Enumerable.Range(0, random.Next(1, 6)).Select(_ => "0019aB.-~^_"[random.Next(11)]).ToArray());
}
