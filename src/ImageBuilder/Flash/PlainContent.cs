namespace Appliance.ImageBuilder.Flash;

/// <summary>An image that is a stream of its bytes: a plain file, or what a decompressor gives.</summary>
internal sealed class PlainContent(Stream stream, long? size) : IImageContent
{
    private const int SkipSize = 1 << 20;
    private long _position;

    public long? Size => size;

    public async ValueTask<int> ReadAsync(long position, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (!await SkipAsync(position - _position, cancellationToken)) return 0;
        var read = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        _position += read;
        return read;
    }

    public async Task FinishAsync(CancellationToken cancellationToken) => await SkipAsync(long.MaxValue - _position, cancellationToken);

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private async ValueTask<bool> SkipAsync(long bytes, CancellationToken cancellationToken)
    {
        if (bytes > 0 && stream.CanSeek)
        {
            stream.Seek(Math.Min(bytes, stream.Length - stream.Position), SeekOrigin.Current);
            _position += bytes;
            return true;
        }
        var scratch = bytes > 0 ? new byte[Math.Min(bytes, SkipSize)] : [];
        while (bytes > 0)
        {
            var read = await stream.ReadAsync(scratch.AsMemory(0, (int)Math.Min(scratch.Length, bytes)), cancellationToken);
            if (read == 0) return false;
            bytes -= read;
            _position += read;
        }
        return true;
    }
}
