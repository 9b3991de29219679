using Appliance.Core.Releases;

namespace Appliance.ImageBuilder.Publish;

/// <summary>What a publication did.</summary>
/// <param name="Release">The release.</param>
/// <param name="Rollout">Share of the devices in percent.</param>
/// <param name="Changed">False when everything was as asked already.</param>
/// <param name="WasPresent">True when the version was published before.</param>
/// <param name="Dropped">Versions that left the channel.</param>
/// <param name="FreedBytes">Bytes of files that nothing referred to.</param>
/// <param name="Warnings">What somebody should see to soon.</param>
internal sealed record PublishResult(Release Release, int Rollout, bool Changed, bool WasPresent, IReadOnlyList<string> Dropped, long FreedBytes, IReadOnlyList<string> Warnings);
