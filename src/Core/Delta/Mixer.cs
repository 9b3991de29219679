namespace Appliance.Core.Delta;

/// <summary>Weighs several expectations of one decision against each other and learns whom to trust (logistic mixing, M. Mahoney, PAQ).</summary>
internal sealed class Mixer
{
    private const int Unit = 65536;
    private readonly int _inputs;
    private readonly int _rate;
    private readonly int[] _weights;
    private int _set;
    private int _probability;

    /// <summary>Makes a mixer of <paramref name="inputs"/> expectations with a set of weights for each of <paramref name="sets"/> situations.</summary>
    public Mixer(int inputs, int sets, int rate)
    {
        (_inputs, _rate) = (inputs, rate);
        _weights = new int[inputs * sets];
        Array.Fill(_weights, Unit * 2 / (inputs + 1));
    }

    /// <summary>The mixed expectation as logarithm of odds.</summary>
    public int Mix(int set, ReadOnlySpan<int> odds)
    {
        _set = set * _inputs;
        var weights = _weights.AsSpan(_set, _inputs);
        long sum = 0;
        for (var i = 0; i < weights.Length; i++) sum += (long)odds[i] * weights[i];
        var mixed = (int)Math.Clamp(sum >> 16, -Probability.Bound, Probability.Bound);
        _probability = Probability.Squash(mixed);
        return mixed;
    }

    /// <summary>Learns from what happened.</summary>
    public void Update(int bit, ReadOnlySpan<int> odds)
    {
        var error = ((bit << 16) - _probability) * _rate;
        var weights = _weights.AsSpan(_set, _inputs);
        for (var i = 0; i < weights.Length; i++) weights[i] += (int)(((long)odds[i] * error + 0x80000) >> 20);
    }
}
