namespace Appliance.Core.Delta;

/// <summary>Writes decisions: the interval [low, high] is narrowed in proportion, and bytes both ends agree on are put out.</summary>
internal struct BitWriter(Stream target) : IBitCoder
{
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _filled;
    private ulong _low;
    private ulong _high = ulong.MaxValue;

    /// <inheritdoc/>
    public static bool Writes => true;

    /// <inheritdoc/>
    public int Code(int bit, int probability)
    {
        var middle = _low + (((_high - _low) >> 16) * (uint)probability);
        if (bit != 0) _high = middle;
        else _low = middle + 1;
        while ((_low ^ _high) >> 56 == 0)
        {
            Put((byte)(_high >> 56));
            _low <<= 8;
            _high = (_high << 8) | 0xFF;
        }
        return bit;
    }

    /// <summary>Puts out what is left; nothing can be written afterwards.</summary>
    public void Finish()
    {
        // Two bytes lie between both ends whatever follows; the reader takes what is missing as zeros.
        var end = _low + ((_high - _low) >> 1);
        Put((byte)(end >> 56));
        Put((byte)(end >> 48));
        target.Write(_buffer, 0, _filled);
        _filled = 0;
    }

    private void Put(byte value)
    {
        if (_filled == _buffer.Length)
        {
            target.Write(_buffer);
            _filled = 0;
        }
        _buffer[_filled++] = value;
    }
}
