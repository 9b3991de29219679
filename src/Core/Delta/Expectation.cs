namespace Appliance.Core.Delta;

/// <summary>Where an expectation of a word or byte comes from.</summary>
internal enum Expectation
{
    /// <summary>The old one stays.</summary>
    Old,

    /// <summary>What became of the same word after the same word.</summary>
    InContext,

    /// <summary>What became of the same word.</summary>
    Anywhere,

    /// <summary>The old word, moved as far as its neighbour in a table.</summary>
    Moved,

    /// <summary>The old word, moved as far as the last one that moved.</summary>
    Again,

    /// <summary>An address, recalculated from where its target has gone.</summary>
    Relative,
}
