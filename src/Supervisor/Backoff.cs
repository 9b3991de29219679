namespace Appliance.Supervisor;

/// <summary>Pauses between tries that fail: each twice as long as the one before up to the longest, drawn at random, so that devices that lost one server come back one by one.</summary>
/// <param name="first">After the first failure, at most.</param>
/// <param name="longest">After any.</param>
internal sealed class Backoff(TimeSpan first, TimeSpan longest)
{
    private TimeSpan? _pause;

    /// <summary>What the next pause is drawn from.</summary>
    public TimeSpan Pause => _pause ?? first;

    /// <summary>Between a half and the whole of a pause.</summary>
    public static TimeSpan Draw(TimeSpan pause) => pause * (0.5 + (0.5 * Random.Shared.NextDouble()));

    /// <summary>The pause after one more failure.</summary>
    /// <param name="asked">How long the other side wants to be left alone, or null: it is, for a second at least and the longest pause at most.</param>
    public TimeSpan Next(TimeSpan? asked = null)
    {
        var pause = asked is { } wait ? TimeSpan.FromSeconds(Math.Clamp(wait.TotalSeconds, 1, longest.TotalSeconds)) : Draw(Pause);
        _pause = Pause * 2 < longest ? Pause * 2 : longest;
        return pause;
    }

    /// <summary>It works again.</summary>
    public void Reset() => _pause = null;
}
