using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Containers;

namespace ImageBuilder.Tests.Containers;

public sealed class ContainerLogTests
{
    [Fact]
    public void WhatTheBuildSays_IsShownAsOneOfThisMachineIs()
    {
        using var output = new StringWriter();
        using var observer = new PlainBuildObserver(output);
        var log = new ContainerLog(observer, text => text.Replace("/work/product", "/home/anna", StringComparison.Ordinal));

        log.Event("""{"event":"stage","stage":"base","state":"started"}""");
        log.Event("""{"event":"progress","stage":"base","bytes":5,"total":10}""");
        log.Event("""{"event":"stage","stage":"base","state":"done","seconds":3.14}""");
        log.Event("""{"event":"stage","stage":"tools","state":"cached","seconds":0}""");
        log.Event("""{"event":"stage","stage":"esp","state":"failed","seconds":1}""");
        log.Event("""{"event":"warning","message":"look at /work/product/x"}""");
        log.Event("sh: 1: dotnet: not found");
        log.Event("""{"event":"done","upToDate":true}""");

        Assert.Equal("base: started\nbase: done in 3.1 s\ntools: cached\nesp: stopped after 1.0 s\nwarning: look at /home/anna/x\n", output.ToString());
        Assert.Equal("sh: 1: dotnet: not found", log.Errors);
    }
}
