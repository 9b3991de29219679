namespace Appliance.ImageBuilder.Flash;

/// <summary>Something that speaks against overwriting a disk.</summary>
/// <param name="What">What it is.</param>
/// <param name="Mend">What to do about it.</param>
/// <param name="StaysInUse">True when the disk stays in use after a person agreed to lose it: it is not unmounted.</param>
internal readonly record struct Danger(string What, string Mend, bool StaysInUse);
