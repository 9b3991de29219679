using System.IO.Compression;
using System.Net;
using Appliance.Supervisor.Telemetry;

namespace Supervisor.Tests.Telemetry;

/// <summary>Bringing reports to a collector that is not always there.</summary>
public sealed class ReportSenderTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("spool");
    private Collector _collector = null!;
    private ReportSpool _spool = null!;
    private ReportSender _sender = null!;
    private byte _next;

    public async ValueTask InitializeAsync()
    {
        _collector = await Collector.StartAsync();
        _spool = new ReportSpool(_folder.FullName, 10_000);
        _sender = new ReportSender(_spool, new OtlpTaker(_collector.Address + "/", new HttpClient()), TimeProvider.System);
        await _sender.StartAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _sender.StopAsync(CancellationToken.None);
        _sender.Dispose();
        await _collector.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private int[] Arrived => [.. _collector.Taken.Select(report => (int)report.Content[0])];

    [Fact]
    public async Task WhatCameWhileNobodyListened_ArrivesLater_InOrder_Once()
    {
        Add("logs");
        await Eventually.IsTrueAsync(() => _spool.Sent == 1, "the first");
        await _collector.StopAsync();
        for (var i = 0; i < 5; i++) Add("metrics");
        await Task.Delay(500, TestContext.Current.CancellationToken);
        Assert.Equal([0], Arrived);

        await _collector.StartAgainAsync();

        await Eventually.IsTrueAsync(() => _spool.Oldest is null, "the others");
        Assert.Equal([0, 1, 2, 3, 4, 5], Arrived);
        Assert.Equal(["logs", "metrics"], _collector.Taken.Select(report => report.Kind).Distinct());
        Assert.Empty(_folder.GetFiles());
        Assert.Equal((6L, 0L), (_spool.Sent, _spool.Dropped));
    }

    [Fact]
    public async Task HowItGoes_IsSaid_SinceTheFirstTrouble()
    {
        var begin = DateTimeOffset.UtcNow;
        _collector.Answer = HttpStatusCode.Unauthorized;
        Add("logs");
        await Eventually.IsTrueAsync(() => _sender.Delivery.Trouble?.Reason == "it answers 401 Unauthorized", "the first reason");
        var since = _sender.Delivery.Trouble!.Since;
        _collector.Answer = HttpStatusCode.NotFound;
        await Eventually.IsTrueAsync(() => _sender.Delivery.Trouble?.Reason == "it answers 404 Not Found", "the next reason");

        Assert.InRange(since, begin, DateTimeOffset.UtcNow);
        Assert.Equal((since, false), (_sender.Delivery.Trouble!.Since, _sender.Delivery.HasDropped));

        _collector.Answer = HttpStatusCode.OK;
        await Eventually.IsTrueAsync(() => _sender.Delivery.Trouble is null, "an end of it");
    }

    /// <summary>OTLP/HTTP response codes (opentelemetry.io/docs/specs/otlp): what somebody can mend is waited for.</summary>
    [Theory]
    [InlineData(HttpStatusCode.ServiceUnavailable)]
    [InlineData(HttpStatusCode.TooManyRequests)]
    [InlineData(HttpStatusCode.Unauthorized)]
    [InlineData(HttpStatusCode.NotFound)]
    public async Task WhatPasses_IsWaitedFor(HttpStatusCode answer)
    {
        _collector.Answer = answer;
        Add("logs");
        await Eventually.IsTrueAsync(() => Volatile.Read(ref _collector.Refused) >= 2, "two refusals");
        Assert.NotNull(_spool.Oldest);

        _collector.Answer = HttpStatusCode.OK;

        await Eventually.IsTrueAsync(() => _spool.Oldest is null, "the report");
        Assert.Equal([0], Arrived);
    }

    [Fact]
    public async Task WhatACollectorCannotRead_DoesNotHoldUpTheRest()
    {
        _collector.Answer = HttpStatusCode.BadRequest;
        Add("logs");
        await Eventually.IsTrueAsync(() => _spool.Dropped == 1, "the refusal");
        Assert.True(_sender.Delivery.HasDropped);

        _collector.Answer = HttpStatusCode.OK;
        Add("logs");

        await Eventually.IsTrueAsync(() => _spool.Sent == 1, "the next");
        Assert.Equal([1], Arrived);
    }

    private void Add(string kind)
    {
        using var packed = new MemoryStream();
        using (var zip = new GZipStream(packed, CompressionLevel.Fastest)) zip.WriteByte(_next++);
        _spool.Add(kind, packed.ToArray());
    }
}
