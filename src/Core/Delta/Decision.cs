namespace Appliance.Core.Delta;

/// <summary>One kind of decision seen from several sides: every context has a counter, and two mixers with their own idea of the situation weigh them.</summary>
internal sealed class Decision(int inputs, int bits, int firstSituations, int secondSituations)
{
    private const int Rate = 8, Limit = 250;
    private readonly uint[] _counters = NumberModel.NewCounters(inputs << bits);
    private readonly int[] _slots = new int[inputs], _odds = new int[inputs];
    private readonly Mixer _first = new(inputs, firstSituations, Rate), _second = new(inputs, secondSituations, Rate);

    /// <summary>Sets a context; it is scattered over the counters, so that contexts of any width do.</summary>
    public void See(int input, uint context)
    {
        context = (context + (uint)input * 0x61C88647u) * 0x85EBCA6Bu;
        context = (context ^ (context >> 15)) * 0xC2B2AE35u;
        var slot = (input << bits) | (int)(context >> (32 - bits));
        _slots[input] = slot;
        _odds[input] = Probability.Stretch(_counters[slot]);
    }

    /// <summary>Codes the decision after every context was set.</summary>
    public int Code<TCoder>(ref TCoder coder, int bit, int firstSituation, int secondSituation) where TCoder : struct, IBitCoder
    {
        var odds = _first.Mix(firstSituation, _odds) + _second.Mix(secondSituation, _odds);
        bit = coder.Code(bit, Probability.Squash(odds >> 1));
        _first.Update(bit, _odds);
        _second.Update(bit, _odds);
        foreach (var slot in _slots) Probability.Update(ref _counters[slot], bit, Limit);
        return bit;
    }
}
