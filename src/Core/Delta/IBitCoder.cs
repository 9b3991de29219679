namespace Appliance.Core.Delta;

/// <summary>
/// One half of a binary arithmetic coder. The model calls it for every decision and is the same code for both halves:
/// what is written can be read because the same lines made it.
/// </summary>
internal interface IBitCoder
{
    /// <summary>Whether the decisions are known to the caller (writing) or come from the coder (reading).</summary>
    static abstract bool Writes { get; }

    /// <summary>Codes one decision.</summary>
    /// <param name="bit">The decision when writing; ignored when reading.</param>
    /// <param name="probability">Expectation of a 1 in units of 1/65536, 1 to 65535.</param>
    /// <returns>The decision.</returns>
    int Code(int bit, int probability);
}
