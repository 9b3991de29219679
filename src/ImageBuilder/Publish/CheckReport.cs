namespace Appliance.ImageBuilder.Publish;

/// <summary>What a check found.</summary>
/// <param name="Channels">Channels that were checked.</param>
/// <param name="Targets">Releases that were checked.</param>
/// <param name="Objects">Number of objects.</param>
/// <param name="Bytes">Bytes of the objects.</param>
/// <param name="Faults">What is wrong, a sentence each.</param>
internal sealed record CheckReport(IReadOnlyList<string> Channels, IReadOnlyList<string> Targets, int Objects, long Bytes, IReadOnlyList<string> Faults);
