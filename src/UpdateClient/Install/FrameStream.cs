using Appliance.Core.Bundles;
using ZstdSharp;

namespace Appliance.UpdateClient.Install;

/// <summary>
/// The plain bytes of a payload out of its compressed frames. Read as a stream it unpacks them itself; the slot's writer takes
/// the frames packed instead, to unpack several at once.
/// </summary>
internal sealed class FrameStream(IAsyncEnumerator<ReadOnlyMemory<byte>> frames, BundlePayload payload, int first) : ForwardStream
{
    private readonly Decompressor _decompressor = new();
    private byte[]? _plain;
    private int _next = first, _at, _length;

    /// <summary>Copies the next frame, still compressed, into a window; it must be the window's.</summary>
    public async ValueTask TakeFrameAsync(Window window)
    {
        if (window.Index != _next++ || !await frames.MoveNextAsync()) throw new InvalidDataException("a frame is missing");
        frames.Current.CopyTo(window.BeginPacked(frames.Current.Length));
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_at == _length && !await UnpackNextAsync()) return 0;
        var count = Math.Min(buffer.Length, _length - _at);
        _plain.AsMemory(_at, count).CopyTo(buffer);
        _at += count;
        return count;
    }

    public override async ValueTask DisposeAsync()
    {
        _decompressor.Dispose();
        await frames.DisposeAsync();
        await base.DisposeAsync();
    }

    private async ValueTask<bool> UnpackNextAsync()
    {
        if (_next == payload.Frames.Count) return false;
        if (!await frames.MoveNextAsync()) throw new InvalidDataException("a frame is missing");
        try
        {
            _plain ??= new byte[payload.FrameSize];
            (_at, _length) = (0, _decompressor.Unwrap(frames.Current.Span, _plain));
        }
        catch (ZstdException e)
        {
            throw new InvalidDataException($"frame {_next} is damaged: {e.Message}", e);
        }
        _next++;
        return true;
    }
}
