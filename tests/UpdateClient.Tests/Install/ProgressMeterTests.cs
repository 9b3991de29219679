using Appliance.UpdateClient.Install;

namespace UpdateClient.Tests.Install;

public sealed class ProgressMeterTests
{
    private readonly Clock _time = new();
    private readonly Kept _shown = new();

    private long _fetched = 42;

    private ProgressMeter Meter(long total) => new(_shown, _time, total, () => _fetched);

    [Fact]
    public void Rate_AndTimeLeft_AreThoseOfThePhase()
    {
        var meter = Meter(1000);
        meter.Begin(UpdatePhase.Resuming);
        _time.Seconds = 1;
        meter.Report(400); // read back fast, which says nothing of the writing
        meter.Begin(UpdatePhase.Writing);
        _time.Seconds = 3;
        meter.Report(600);

        Assert.Equal(new UpdateProgress(UpdatePhase.Writing, 600, 1000, 42, 100, TimeSpan.FromSeconds(4)), _shown.Values[^1]);
    }

    [Fact]
    public void Reports_ComeAtMostAFewTimesASecond_AndAtEveryPhase()
    {
        var meter = Meter(1000);
        meter.Begin(UpdatePhase.Writing);
        for (var i = 1; i <= 100; i++)
        {
            _time.Seconds = i / 100.0;
            meter.Report(i);
        }
        meter.Begin(UpdatePhase.Finishing);

        Assert.InRange(_shown.Values.Count(value => value.Phase == UpdatePhase.Writing), 3, 6);
        Assert.Equal(UpdatePhase.Finishing, _shown.Values[^1].Phase);
    }

    [Fact]
    public void WhileNothingComes_NoTimeIsPromised()
    {
        var meter = Meter(1000);
        meter.Begin(UpdatePhase.Writing);
        _time.Seconds = 10;
        meter.Report(0);

        Assert.Equal((0, null), (_shown.Values[^1].BytesPerSecond, _shown.Values[^1].TimeLeft));
    }

    [Fact]
    public void RateOfWriting_GoesOnWithTheNextPayload()
    {
        var meter = Meter(1000);
        meter.Begin(UpdatePhase.Writing);
        _time.Seconds = 5;
        meter.Report(500);
        meter.Begin(UpdatePhase.Resuming);
        _time.Seconds = 8;
        meter.Report(600); // was there already
        meter.Begin(UpdatePhase.Writing);

        Assert.Equal(new UpdateProgress(UpdatePhase.Writing, 600, 1000, 42, 100, TimeSpan.FromSeconds(4)), _shown.Values[^1]);
    }

    [Fact]
    public void WhatIsFetched_IsShown_BeforeAnyOfItIsWritten()
    {
        var meter = Meter(1000);
        meter.Begin(UpdatePhase.Writing);
        meter.Tick();
        Assert.Single(_shown.Values); // nothing new
        _fetched = 900;
        meter.Tick();

        Assert.Equal((0, 900), (_shown.Values[^1].Done, _shown.Values[^1].Downloaded));
    }

    private sealed class Kept : IProgress<UpdateProgress>
    {
        public List<UpdateProgress> Values { get; } = [];
        public void Report(UpdateProgress value) => Values.Add(value);
    }

    private sealed class Clock : TimeProvider
    {
        public double Seconds { get; set; }
        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
        public override long GetTimestamp() => (long)(Seconds * TimeSpan.TicksPerSecond);
    }
}
