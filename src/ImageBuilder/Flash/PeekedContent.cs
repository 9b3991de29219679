namespace Appliance.ImageBuilder.Flash;

/// <summary>An image whose first bytes were looked at already; they are read again from memory.</summary>
internal sealed class PeekedContent : IImageContent
{
    private readonly IImageContent _rest;
    private readonly ReadOnlyMemory<byte> _head;

    private PeekedContent(IImageContent rest, ReadOnlyMemory<byte> head) => (_rest, _head) = (rest, head);

    /// <summary>The first bytes.</summary>
    public ReadOnlyMemory<byte> Head => _head;

    /// <inheritdoc/>
    public long? Size => _rest.Size;

    /// <summary>Looks at the first bytes.</summary>
    public static async Task<PeekedContent> LookAsync(IImageContent image, int length, CancellationToken cancellationToken)
    {
        var head = new byte[length];
        var read = await image.ReadAsync(0, head, cancellationToken);
        return new PeekedContent(image, head.AsMemory(0, read));
    }

    public async ValueTask<int> ReadAsync(long position, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var known = (int)Math.Clamp(_head.Length - position, 0, buffer.Length);
        if (known > 0) _head.Slice((int)position, known).CopyTo(buffer);
        return known == buffer.Length ? known : known + await _rest.ReadAsync(position + known, buffer[known..], cancellationToken);
    }

    public Task FinishAsync(CancellationToken cancellationToken) => _rest.FinishAsync(cancellationToken);

    public ValueTask DisposeAsync() => _rest.DisposeAsync();
}
