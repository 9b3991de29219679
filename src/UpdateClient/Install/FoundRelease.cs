using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Releases;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;

namespace Appliance.UpdateClient.Install;

/// <summary>The release that a check found, with its manifest: verified, and what the channel says it is.</summary>
internal sealed record FoundRelease(Release Release, BundleManifest Manifest)
{
    /// <summary>Fetches it and plans what to do with it.</summary>
    /// <param name="source">The repository.</param>
    /// <param name="trust">Its trusted metadata.</param>
    /// <param name="check">A check that found something.</param>
    /// <param name="plan">Plans; what it finds wrong with the release is an <see cref="InvalidDataException"/>.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">The release cannot be used.</exception>
    public static async Task<UpdatePlan> PlanAsync(IRepositorySource source, TufClient trust, UpdateCheck check, Func<FoundRelease, Task<UpdatePlan>> plan, CancellationToken cancellationToken)
    {
        var target = check.Target ?? throw new ArgumentException("the check found nothing to install", nameof(check));
        var bytes = await trust.ReadTargetAsync(target, ReleaseReader.LargestRelease, cancellationToken);
        try
        {
            var release = ReleaseReader.Parse(bytes);
            var header = release.Header;
            var offer = check.Offer!;
            if (header.Kind != offer.Kind || header.Id != offer.Id || header.Version != offer.Version || header.Board != offer.Board || header.Architecture != offer.Architecture || header.MinimumVersion != offer.MinimumVersion)
                throw new InvalidDataException("the channel describes it otherwise than it does itself");
            var manifest = ReleaseReader.ParseManifest(release, await source.ReadObjectAsync(release.Manifest, cancellationToken));
            return await plan(new FoundRelease(release, manifest));
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"The release {target.Path} cannot be used: {e.Message}.", "It was published wrongly or by another program: publish its content as a new version.", e);
        }
    }

    /// <summary>Plans payloads; what is opened for them is closed with the plan.</summary>
    /// <param name="planner">Plans one.</param>
    /// <param name="places">For a kind of payload, where the old one is and where the new one goes; null for a kind that is not wanted.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<UpdatePlan> PlanPayloadsAsync(PayloadPlanner planner, Func<BundlePayloadKind, (string? Old, string? Target)?> places, CancellationToken cancellationToken)
    {
        var payloads = new List<PayloadPlan>();
        try
        {
            foreach (var (listed, payload) in Release.Payloads.Zip(Manifest.Payloads))
                if (places(payload.Kind) is var (old, target)) payloads.Add(await planner.PlanAsync(listed, payload, old, target, cancellationToken));
            return new UpdatePlan(planner) { Release = Release, Manifest = Manifest, Payloads = payloads };
        }
        catch
        {
            planner.Dispose();
            throw;
        }
    }
}
