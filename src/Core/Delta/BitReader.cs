namespace Appliance.Core.Delta;

/// <summary>Reads the decisions a <see cref="BitWriter"/> wrote.</summary>
internal struct BitReader : IBitCoder
{
    /// <summary>The writer leaves out bytes at the end that do not matter.</summary>
    private const int Implied = 16;
    private readonly Stream _source;
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _next, _filled, _past;
    private ulong _low;
    private ulong _high = ulong.MaxValue;
    private ulong _value;

    /// <summary>Starts reading.</summary>
    public BitReader(Stream source)
    {
        _source = source;
        for (var i = 0; i < 8; i++) _value = (_value << 8) | Get();
    }

    /// <inheritdoc/>
    public static bool Writes => false;

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The patch ends too early.</exception>
    public int Code(int bit, int probability)
    {
        var middle = _low + (((_high - _low) >> 16) * (uint)probability);
        bit = _value <= middle ? 1 : 0;
        if (bit != 0) _high = middle;
        else _low = middle + 1;
        while ((_low ^ _high) >> 56 == 0)
        {
            _low <<= 8;
            _high = (_high << 8) | 0xFF;
            _value = (_value << 8) | Get();
        }
        return bit;
    }

    private uint Get()
    {
        if (_next == _filled)
        {
            (_next, _filled) = (0, _source.Read(_buffer));
            if (_filled == 0)
            {
                if (++_past > Implied) throw new InvalidDataException("the patch ends too early");
                return 0;
            }
        }
        return _buffer[_next++];
    }
}
