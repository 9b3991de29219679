using System.Threading.Channels;
using Appliance.Core.Bundles;
using Appliance.Core.Verity;

namespace Appliance.UpdateClient.Install;

/// <summary>
/// Writes a payload to its target, strictly forward. Every window is verified against the manifest before it is written, several
/// at once on all cores; the verity tree grows along. Memory is a few windows, however large the payload is.
/// </summary>
internal sealed class PayloadWriter(BundlePayload payload, BlockTarget target, VerityTreeWriter? tree, byte[]? salt, WindowPool windows, Action<long> onProgress) : IAsyncDisposable
{
    /// <summary>A power cut loses no more than what was written since the last but one sync.</summary>
    private const long SyncInterval = 64L << 20;

    /// <summary>Windows for sources that give plain bytes: they need memory of their own, and filling is what takes the time.</summary>
    private const int PlainDepth = 2;

    private Task _syncing = Task.CompletedTask;
    private long _unsynced;
    private int _next;

    /// <summary>Bytes from the front that are verified and in the target.</summary>
    public long Position => Math.Min((long)_next * payload.FrameSize, payload.Size);

    /// <summary>True when the whole payload is in the target.</summary>
    public bool IsComplete => _next == payload.Frames.Count;

    /// <summary>Finds what an earlier run has written: reads the target back up to the first window that is not the right one.</summary>
    public Task ResumeAsync(CancellationToken cancellationToken) => PumpAsync(FillFromTargetAsync, PlainDepth, write: false, cancellationToken);

    /// <summary>Writes from <see cref="Position"/> to the end.</summary>
    /// <param name="source">The plain bytes from <see cref="Position"/> on.</param>
    /// <param name="cancellationToken">Ends the writing; what was written stays.</param>
    /// <exception cref="InvalidDataException">The source gives wrong bytes or ends; everything before <see cref="Position"/> is good.</exception>
    public Task WriteAsync(Stream source, CancellationToken cancellationToken) =>
        PumpAsync((window, token) => FillAsync(source, window, token), source is FrameStream ? WindowPool.Most : PlainDepth, write: true, cancellationToken);

    /// <summary>Waits until everything is on the disk.</summary>
    public async Task SyncAsync()
    {
        await _syncing;
        await Task.Run(target.Sync);
    }

    /// <summary>Waits for a sync that is under way, which must end before its file is closed.</summary>
    public async ValueTask DisposeAsync() => await _syncing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task PumpAsync(Func<Window, CancellationToken, ValueTask<bool>> fill, int depth, bool write, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var checks = Channel.CreateBounded<(Window Window, Task<bool> Check)>(WindowPool.Most);
        using var places = new SemaphoreSlim(depth);
        var feeding = Task.Run(() => FeedAsync(fill, places, checks.Writer, end.Token), CancellationToken.None);
        try
        {
            await foreach (var (window, check) in checks.Reader.ReadAllAsync(cancellationToken))
            {
                try
                {
                    if (!await check)
                    {
                        if (!write) return;
                        throw new InvalidDataException($"window {window.Index} of payload {payload.Name} is not what the manifest says");
                    }
                    if (write) await PutAsync(window);
                    tree?.Append(window.Leaves);
                    _next++;
                    onProgress(Position);
                }
                finally
                {
                    windows.Return(window);
                    places.Release();
                }
            }
        }
        finally
        {
            await end.CancelAsync();
            await feeding.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            while (checks.Reader.TryRead(out var left))
            {
                await ((Task)left.Check).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                windows.Return(left.Window);
            }
        }
    }

    /// <summary>Fills windows in order and starts their checks; its own failure reaches the reader after the windows before it.</summary>
    private async Task FeedAsync(Func<Window, CancellationToken, ValueTask<bool>> fill, SemaphoreSlim places, ChannelWriter<(Window, Task<bool>)> checks, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        try
        {
            for (var index = _next; index < payload.Frames.Count; index++)
            {
                await places.WaitAsync(cancellationToken);
                var window = await windows.RentAsync(cancellationToken);
                var handedOn = false;
                try
                {
                    window.Begin(index, (int)Math.Min(payload.FrameSize, payload.Size - (long)index * payload.FrameSize));
                    if (!await fill(window, cancellationToken)) break;
                    var sha256 = payload.Frames[index].Sha256;
                    await checks.WriteAsync((window, Task.Run(() => window.Check(sha256, salt), CancellationToken.None)), CancellationToken.None);
                    handedOn = true;
                }
                finally
                {
                    if (!handedOn) windows.Return(window);
                }
            }
        }
        catch (EndOfStreamException e)
        {
            failure = new InvalidDataException($"payload {payload.Name} ends too early", e);
        }
        catch (Exception e)
        {
            failure = e;
        }
        finally
        {
            checks.Complete(failure);
        }
    }

    private static async ValueTask<bool> FillAsync(Stream source, Window window, CancellationToken cancellationToken)
    {
        if (source is FrameStream frames) await frames.TakeFrameAsync(window);
        else await source.ReadExactlyAsync(window.Plain, cancellationToken);
        return true;
    }

    private ValueTask<bool> FillFromTargetAsync(Window window, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return ValueTask.FromResult(target.Read(window.Plain.Span, (long)window.Index * payload.FrameSize) == window.Plain.Length);
        }
        catch (IOException)
        {
            return ValueTask.FromResult(false); // a sector that a power cut left torn: writing it mends it
        }
    }

    private async ValueTask PutAsync(Window window)
    {
        target.Write(window.Plain.Span, (long)window.Index * payload.FrameSize);
        if ((_unsynced += window.Plain.Length) < SyncInterval) return;
        _unsynced = 0;
        await _syncing;
        _syncing = Task.Run(target.Sync);
    }
}
