namespace Appliance.Core.Delta;

/// <summary>What a command does; the values are the format's.</summary>
internal enum PatchCommandKind
{
    /// <summary>New bytes that have no counterpart.</summary>
    Literal = 0,

    /// <summary>Equal bytes.</summary>
    Copy = 1,

    /// <summary>Similar bytes: each is coded with its counterpart as the expectation.</summary>
    Correct = 2,
}
