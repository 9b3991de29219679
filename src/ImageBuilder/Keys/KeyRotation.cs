using Appliance.Core.Tuf.Keys;

namespace Appliance.ImageBuilder.Keys;

/// <summary>What a rotation did.</summary>
/// <param name="Role">The role.</param>
/// <param name="Keys">Its keys now.</param>
/// <param name="Retired">The keys that signed before.</param>
/// <param name="RootVersion">Version of the newest root.</param>
/// <param name="Completed">True when it only completed one that had been interrupted.</param>
internal sealed record KeyRotation(string Role, IReadOnlyList<KeyFile> Keys, IReadOnlyList<KeyFile> Retired, long RootVersion, bool Completed);
