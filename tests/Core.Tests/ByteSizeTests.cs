using Appliance.Core;

namespace Core.Tests;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("512MiB", 536870912)]
    [InlineData("2 gib", 2147483648)]
    [InlineData("17B", 17)]
    public void TryParse_KnownUnit_GivesBytes(string text, long expected)
    {
        Assert.True(ByteSize.TryParse(text, out var bytes));
        Assert.Equal(expected, bytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("MiB")]
    [InlineData("-1")]
    [InlineData("1.5GiB")]
    [InlineData("12 MB")]
    [InlineData("9223372036854775807KiB")]
    [InlineData("99999999999999999999")]
    public void TryParse_AnythingElse_IsRefused(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(737 * 1024L * 1024, "737 MiB")]
    public void Format_PicksTheLargestWholeUnit(long bytes, string expected) => Assert.Equal(expected, ByteSize.Format(bytes));
}
