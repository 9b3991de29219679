namespace Appliance.Core;

/// <summary>
/// A mistake a person can mend. The message says what is wrong and where; <see cref="Hint"/> says how to fix it.
/// Programs print both, without a stack trace, and end with exit code 2.
/// </summary>
public sealed class UserError(string message, string? hint = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>One sentence that says what to do about it, or null when the message already does.</summary>
    public string? Hint { get; } = hint;

    /// <summary>True when the same may work later without anybody mending anything: a network or a server is away.</summary>
    public bool MayPass { get; init; }

    /// <summary>The message, followed by the hint on a line of its own when there is one.</summary>
    public override string ToString() => Hint is null ? Message : $"{Message}\n  {Hint}";
}
