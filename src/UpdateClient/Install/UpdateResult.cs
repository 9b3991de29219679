namespace Appliance.UpdateClient.Install;

/// <summary>What an installation did.</summary>
/// <param name="Version">Version that the slot holds now.</param>
/// <param name="Downloaded">Bytes read from the repository, metadata included.</param>
/// <param name="Ways">The way each payload came by in the end, by payload name; <c>present</c> when all of it was there already.</param>
/// <param name="Warnings">Ways that failed and were replaced by others, in words.</param>
public sealed record UpdateResult(string Version, long Downloaded, IReadOnlyDictionary<string, string> Ways, IReadOnlyList<string> Warnings);
