using Appliance.Core;
using Appliance.Core.Verity;

namespace Appliance.UpdateClient.Install;

/// <summary>Writes the payloads of a plan, each by the first of its ways that leads to its end; what was right of one way is kept for the next.</summary>
internal sealed class PayloadRun : IAsyncDisposable
{
    /// <summary>Tries of one way without a window of progress, where trying again can help.</summary>
    private const int TriesInPlace = 2;

    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    private readonly IRepositorySource _source;
    private readonly UpdatePlan _plan;
    private readonly WindowPool _windows;
    private readonly ProgressMeter _meter;
    private readonly ITimer _ticking;
    private readonly Dictionary<string, string> _ways = [];
    private readonly List<string> _warnings = [];
    private long _before;

    /// <summary>A run.</summary>
    /// <param name="source">The repository.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="options">What is allowed.</param>
    /// <param name="progress">Gets the progress; may be null.</param>
    public PayloadRun(IRepositorySource source, UpdatePlan plan, UpdateOptions options, IProgress<UpdateProgress>? progress)
    {
        (_source, _plan) = (source, plan);
        _windows = new WindowPool(plan.Payloads.SelectMany(payload => payload.Payload.Frames).Max(frame => (int?)frame.Size) ?? 1);
        _meter = new ProgressMeter(progress, options.Time, plan.Payloads.Sum(payload => payload.Payload.Size), () => source.BytesRead);
        _ticking = options.Time.CreateTimer(_ => _meter.Tick(), null, Tick, Tick);
    }

    /// <summary>Says what is being done.</summary>
    public void Begin(UpdatePhase phase) => _meter.Begin(phase);

    /// <summary>What came of it.</summary>
    public UpdateResult Finish()
    {
        _meter.Begin(UpdatePhase.Done);
        return new UpdateResult(_plan.Release.Header.Version, _source.BytesRead, _ways, _warnings);
    }

    /// <summary>A writer for the next payload of the plan.</summary>
    public PayloadWriter NewWriter(PayloadPlan payload, BlockTarget target, VerityTreeWriter? tree = null, byte[]? salt = null)
    {
        var before = _before;
        _before += payload.Payload.Size;
        return new PayloadWriter(payload.Payload, target, tree, salt, _windows, position => _meter.Report(before + position));
    }

    /// <summary>Writes a payload.</summary>
    /// <param name="payload">The payload and its ways.</param>
    /// <param name="writer">Its writer.</param>
    /// <param name="resume">Whether what is in the target may be of an earlier run.</param>
    /// <param name="cancellationToken">Ends the writing; what was written stays.</param>
    /// <exception cref="UserError">No way leads to its end.</exception>
    public async Task WriteAsync(PayloadPlan payload, PayloadWriter writer, bool resume, CancellationToken cancellationToken)
    {
        if (resume)
        {
            _meter.Begin(UpdatePhase.Resuming);
            await writer.ResumeAsync(cancellationToken);
        }
        _meter.Begin(UpdatePhase.Writing);
        if (writer.IsComplete) _ways[payload.Payload.Name] = "present";
        Exception? last = null;
        foreach (var way in payload.Ways)
        {
            if (writer.IsComplete) return;
            last = await TryWayAsync(way, writer, cancellationToken);
            if (last is null) _ways[payload.Payload.Name] = way.Name;
        }
        if (!writer.IsComplete)
            throw new UserError($"Payload {payload.Payload.Name} of version {_plan.Release.Header.Version} cannot be had: {last?.Message}.",
                _source.OnlyRelease is null ? "The repository is damaged or a proxy before it is: check it with `appliance verify`, or use another mirror." : "The bundle was damaged on its way: check it with `appliance verify`, then bring or send it again.", last);
    }

    /// <summary>When this returns, nobody hears of progress any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ticking.DisposeAsync();
        _windows.Dispose();
    }

    /// <summary>Writes by one way as far as it leads. Null when the payload is complete, else what was wrong with the way's data.</summary>
    private async Task<Exception?> TryWayAsync(PlannedWay way, PayloadWriter writer, CancellationToken cancellationToken)
    {
        Exception? first = null;
        for (var tries = 1; ; tries++)
        {
            var start = writer.Position;
            try
            {
                await using var stream = await way.Way.OpenAsync(start, cancellationToken);
                await writer.WriteAsync(stream, cancellationToken);
                return null;
            }
            // What cannot be read is the way's too: the version that runs has a bad block, and other ways do without it.
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                if (writer.Position > start) (tries, first) = (1, null);
                first ??= e;
                // What came over a network may come right the second time; a patch was verified as a whole and is as it is.
                if (tries < TriesInPlace && way.Name != PlannedWay.Patch) continue;
                // The second failure may only say that a stream is not read twice.
                _warnings.Add($"{way.Name}: {first.Message}");
                return first;
            }
        }
    }
}
