using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads;

/// <summary>What became of objects that a release has no longer.</summary>
/// <param name="Deleted">These are gone.</param>
/// <param name="Kept">These stay, with the reason in words: they hold data, or are not ours.</param>
internal sealed record PrunedObjects(IReadOnlyList<ObjectIdentity> Deleted, IReadOnlyList<(ObjectIdentity Object, string Reason)> Kept);
