namespace Appliance.ImageBuilder.Flash;

/// <summary>The plain bytes of an image, read forward only; what nobody asks for costs as little as its form allows.</summary>
internal interface IImageContent : IAsyncDisposable
{
    /// <summary>Bytes of the whole image, or null when it cannot be told before it was read.</summary>
    long? Size { get; }

    /// <summary>Reads bytes from a position on, which is not before the end of what was read last; fills the buffer, but for the image's end.</summary>
    ValueTask<int> ReadAsync(long position, Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Reads what remains, for whoever looks at all of the file.</summary>
    Task FinishAsync(CancellationToken cancellationToken);
}
