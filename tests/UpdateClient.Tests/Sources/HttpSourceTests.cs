using System.Diagnostics;
using Appliance.Core;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Sources;
using Fault = UpdateClient.Tests.Sources.FaultyServer.Fault;

namespace UpdateClient.Tests.Sources;

public sealed class HttpSourceTests : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("http");
    private readonly FaultyServer _server;
    private readonly byte[] _content = new byte[3_000_000];

    public HttpSourceTests()
    {
        new Random(5).NextBytes(_content);
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "objects"));
        File.WriteAllBytes(Path.Combine(_folder.FullName, "objects/big"), _content);
        File.WriteAllText(Path.Combine(_folder.FullName, "small.json"), "{}");
        _server = new FaultyServer(_folder.FullName);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static readonly HttpSourceOptions Quick = new() { FirstPause = TimeSpan.FromMilliseconds(2), LongestPause = TimeSpan.FromMilliseconds(50), StallLimit = TimeSpan.FromSeconds(20), Tries = 4 };

    private HttpSource Source(HttpSourceOptions? options = null) => new(_server.Address, options ?? Quick);

    /// <summary>Every 10 000th byte range of odd length, some of which touch.</summary>
    private static List<ByteRange> SomeRanges()
    {
        var ranges = new List<ByteRange>();
        for (var at = 1000; at < 2_900_000; at += 50_000)
        {
            ranges.Add(new ByteRange(at, 7_001));
            ranges.Add(new ByteRange(at + 7_001, 999));
        }
        return ranges;
    }

    private async Task AssertReadsAsync(HttpSource source, List<ByteRange>? ranges = null)
    {
        ranges ??= SomeRanges();
        var next = 0;
        await foreach (var bytes in source.ReadRangesAsync("objects/big", ranges, CancellationToken.None))
        {
            Assert.True(bytes.Span.SequenceEqual(_content.AsSpan((int)ranges[next].Offset, ranges[next].Length)));
            next++;
        }
        Assert.Equal(ranges.Count, next);
    }

    [Fact]
    public async Task ReadRanges_FromAProperServer_AsksForTouchingRangesTogether_AndForNoMore()
    {
        using var source = Source();

        await AssertReadsAsync(source);

        Assert.Equal(SomeRanges().Count / 2, _server.Log.Count);
        Assert.Equal(SomeRanges().Sum(range => range.Length), _server.Sent);
        Assert.Equal(_server.Sent, source.BytesRead);
    }

    [Fact]
    public async Task ReadRanges_ThroughBrokenConnections_GoesOnWhereEachBroke()
    {
        _server.Spoil = request => request.Number % 3 == 1 ? new Fault { CutAfter = 3_000 } : null;
        using var source = Source();

        await AssertReadsAsync(source);

        Assert.Equal(SomeRanges().Sum(range => range.Length), _server.Sent); // nothing came twice
    }

    public static TheoryData<string> Faults => new(Spoilt.Keys);

    private static readonly Dictionary<string, Fault> Spoilt = new()
    {
        ["another range"] = new() { AnnouncedRange = "5-6" },
        ["a range that begins elsewhere"] = new() { AnnouncedRange = "0-7999" },
        ["cut at once"] = new() { CutAfter = 0 },
        ["503"] = new() { Status = 503 },
        ["429 with Retry-After"] = new() { Status = 429, Headers = "Retry-After: 0\r\n" },
        ["a stall"] = new() { Stall = true },
        ["more than was asked for"] = new() { CloseDelimited = true, Extra = new byte[5000] },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task ReadRanges_AfterOneFault_ComesRight(string name)
    {
        _server.Spoil = request => request.Number is 1 or 5 ? Spoilt[name] : null;
        using var source = Source(Spoilt[name].Stall ? Quick with { StallLimit = TimeSpan.FromMilliseconds(500), Tries = 20 } : Quick);

        await AssertReadsAsync(source);
    }

    [Fact]
    public async Task ReadRanges_WhenTheFaultStays_SaysWhatItIs()
    {
        _server.Spoil = _ => new Fault { Status = 503 };
        using var source = Source();

        var error = await Assert.ThrowsAsync<UserError>(() => AssertReadsAsync(source));

        Assert.Contains("503", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReadRanges_FromAServerThatKnowsNoRanges_ReadsFromTheFront()
    {
        _server.Spoil = _ => new Fault { IgnoreRange = true };
        using var source = Source();

        await AssertReadsAsync(source);
        await AssertReadsAsync(source);

        Assert.InRange(_server.Log.Count, 2, 2 + 2 * Quick.Connections); // one request a pass, beside those that found it out
    }

    [Fact]
    public async Task ReadRanges_FromAServerThatKnowsNoRangesAndBreaks_StartsAgainAndSkips()
    {
        _server.Spoil = request => new Fault { IgnoreRange = true, CutAfter = request.From is null && request.Number < 12 ? 100_000 * request.Number : null };
        using var source = Source();

        await AssertReadsAsync(source);
    }

    [Fact]
    public async Task ReadRanges_BehindTheEnd_IsBadData()
    {
        using var source = Source();

        await Assert.ThrowsAsync<InvalidDataException>(() => AssertReadsAsync(source, [new ByteRange(5_000_000, 10)]));
    }

    [Fact]
    public async Task ReadRanges_OfAMissingFile_IsBadData()
    {
        using var source = Source();

        await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            await foreach (var _ in source.ReadRangesAsync("objects/none", [new ByteRange(0, 1)], CancellationToken.None)) Assert.Fail("there is none");
        });
    }

    [Fact]
    public async Task TryRead_KnowsMissingFromBroken()
    {
        using var source = Source();
        _server.Spoil = request => request.Number == 2 ? new Fault { CutAfter = 1 } : null;

        Assert.Null(await source.TryReadAsync("none.json", 100, CancellationToken.None));
        Assert.Equal("{}"u8.ToArray(), await source.TryReadAsync("small.json", 100, CancellationToken.None));
    }

    [Fact]
    public async Task Refuses_AFileThatIsLargerThanItMayBe()
    {
        using var source = Source();

        var error = await Assert.ThrowsAsync<UserError>(() => source.TryReadAsync("objects/big", 1000, CancellationToken.None));

        Assert.Contains("larger than", error.Message, StringComparison.Ordinal);
        Assert.True(source.BytesRead <= 1001);
    }

    [Theory]
    [InlineData("../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("a//b")]
    [InlineData("a/./b")]
    [InlineData("a\\b")]
    [InlineData("a?b")]
    public async Task Refuses_APathThatLeavesTheRepository(string path)
    {
        using var source = Source();

        await Assert.ThrowsAsync<InvalidDataException>(() => source.TryReadAsync(path, 10, CancellationToken.None));
        await Assert.ThrowsAsync<InvalidDataException>(() => new FolderSource(_folder.FullName).TryReadAsync(path, 10, CancellationToken.None));
    }

    [Fact]
    public async Task Cancel_WhileTheServerStalls_EndsWithinASecond()
    {
        _server.Spoil = _ => new Fault { Stall = true };
        using var source = Source(Quick with { StallLimit = TimeSpan.FromMinutes(5) });
        using var cancel = new CancellationTokenSource();
        var reading = Task.Run(async () =>
        {
            await foreach (var _ in source.ReadRangesAsync("objects/big", [new ByteRange(0, 100_000)], cancel.Token)) Assert.Fail("it stalls");
        });
        while (source.BytesRead == 0) await Task.Yield();
        var clock = Stopwatch.StartNew();

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task ReadRanges_WithARate_TakesAsLongAsItSays()
    {
        var time = new StepTime();
        using var source = Source(Quick with { BytesPerSecond = 100_000, Time = time, StallLimit = TimeSpan.FromHours(1) });

        await AssertReadsAsync(source, [new ByteRange(0, 1_000_000)]);

        Assert.InRange(time.Elapsed.TotalSeconds, 9, 11); // a bucket of half a second is full at the start
    }

    /// <summary>The rate holds the reader up for longer than a server may be silent; that is no fault of the server's.</summary>
    [Fact]
    public async Task ReadRanges_WithARateThatTakesLongerThanTheStallLimit_IsNoStall()
    {
        using var source = Source(Quick with { BytesPerSecond = 8_000, StallLimit = TimeSpan.FromSeconds(0.5) });

        await AssertReadsAsync(source, [new ByteRange(0, 20_000)]);

        Assert.Single(_server.Log);
    }

    [Fact]
    public async Task ReadRanges_ThroughAProxy_AsksTheProxy()
    {
        using var source = new HttpSource(new Uri("http://repository.invalid/updates"), Quick with { Proxy = _server.Address });
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "updates"));
        File.WriteAllText(Path.Combine(_folder.FullName, "updates/a.json"), "[]");

        Assert.Equal("[]"u8.ToArray(), await source.TryReadAsync("a.json", 100, CancellationToken.None));
        Assert.Contains("GET http://repository.invalid/updates/a.json", _server.Log[0].Head, StringComparison.Ordinal);
    }
}
