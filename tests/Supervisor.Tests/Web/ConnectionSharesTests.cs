using System.Net;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Web;

namespace Supervisor.Tests.Web;

/// <summary>Who gets how many connections.</summary>
public sealed class ConnectionSharesTests
{
    private readonly ConnectionShares _shares = new();

    [Fact]
    public void OneAddress_DoesNotTakeAll_AndAllTogetherLeaveTheDeviceItsOwn()
    {
        Assert.Equal(ConnectionShares.MostOfOne, Fill("192.0.2.1"));
        Assert.Equal(ConnectionShares.MostOfOthers - ConnectionShares.MostOfOne, Enumerable.Range(2, 20).Sum(host => Fill($"192.0.2.{host}")));
        Assert.Equal(0, Fill("192.0.2.99"));

        Assert.Equal(ConnectionShares.MostOfDevice, Fill("127.0.0.1"));
    }

    [Fact]
    public void WhatEnds_MakesRoom()
    {
        var one = IPAddress.Parse("192.0.2.1");
        Fill("192.0.2.1");
        Assert.False(_shares.TryEnter(one));

        _shares.Leave(one);

        Assert.True(_shares.TryEnter(one));
        Assert.False(_shares.TryEnter(one));
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1")]
    [InlineData("::ffff:192.0.2.1", "192.0.2.1")]
    [InlineData("::ffff:127.0.0.1", "127.0.0.1")]
    [InlineData("::1", "::1")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    public void AnAddress_StandsForWhoeverHasIt(string address, string whose) => Assert.Equal(IPAddress.Parse(whose), RemoteNetwork.Of(IPAddress.Parse(address)));

    [Theory]
    [InlineData("192.0.2.7", "192.0.2.7", "127.0.0.1")] // the page listens at one address, and its check comes from there
    [InlineData("192.0.2.8", "192.0.2.7", "192.0.2.8")]
    [InlineData("127.0.0.1", "127.0.0.1", "127.0.0.1")]
    public void WhatComesFromTheAddressItLeadsTo_IsTheDevicesOwn(string remote, string local, string whose) =>
        Assert.Equal(IPAddress.Parse(whose), ConnectionShares.Whose(IPAddress.Parse(remote), IPAddress.Parse(local)));

    private int Fill(string address)
    {
        var count = 0;
        while (_shares.TryEnter(IPAddress.Parse(address))) count++;
        return count;
    }
}
