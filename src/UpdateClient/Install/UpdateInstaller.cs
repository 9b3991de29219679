using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.UpdateClient.Trust;

namespace Appliance.UpdateClient.Install;

/// <summary>
/// Updates a device's other slot: looks for a version, plans the cheapest way to get it, and installs it. Every byte is
/// verified on the way from the trusted root down; memory is bounded; an interrupted installation goes on where it stopped.
/// </summary>
/// <param name="source">The repository.</param>
/// <param name="trust">The trusted metadata of that repository.</param>
/// <param name="device">What the device is.</param>
/// <param name="options">What is allowed.</param>
public sealed class UpdateInstaller(IRepositorySource source, TufClient trust, DeviceFacts device, UpdateOptions options)
{
    /// <summary>Brings the metadata up to date and looks for a version to install.</summary>
    /// <param name="channel">Channel of the repository.</param>
    /// <param name="cancellationToken">Ends the check.</param>
    /// <exception cref="UserError">The repository cannot be reached or trusted, or has nothing for such a device.</exception>
    public async Task<UpdateCheck> CheckAsync(string channel, CancellationToken cancellationToken)
    {
        await trust.RefreshAsync(cancellationToken);
        return new ReleaseChoice(device, channel, options).Choose(await trust.ReadChannelAsync(channel, cancellationToken), source.OnlyRelease);
    }

    /// <summary>Fetches the release and its manifest and compares the ways to get each payload.</summary>
    /// <param name="check">A check that found something.</param>
    /// <param name="running">What can be used of the running version.</param>
    /// <param name="slot">The slot that is to be written; what is in it may be used, too.</param>
    /// <param name="cancellationToken">Ends the planning.</param>
    public Task<UpdatePlan> PlanAsync(UpdateCheck check, RunningSlot running, TargetSlot slot, CancellationToken cancellationToken) =>
        FoundRelease.PlanAsync(source, trust, check, async found =>
        {
            RequireParts(found.Manifest);
            return await found.PlanPayloadsAsync(new PayloadPlanner(source, found.Release, device.Version, options.StateFolder), Places, cancellationToken);

            (string?, string?)? Places(BundlePayloadKind kind) => kind switch
            {
                BundlePayloadKind.Root => (running.Root, slot.Root.Offset == 0 ? slot.Root.Path : null), // chunks know no pieces of disk images
                BundlePayloadKind.Uki => (running.Uki, slot.PartialUki),
                _ => null,
            };
        }, cancellationToken);

    /// <summary>Carries a plan out.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="slot">The slot to write.</param>
    /// <param name="progress">Gets the progress; may be null.</param>
    /// <param name="cancellationToken">Ends the installation within a second; the next run goes on.</param>
    /// <exception cref="UserError">Something a person can mend.</exception>
    public async Task<UpdateResult> InstallAsync(UpdatePlan plan, TargetSlot slot, IProgress<UpdateProgress>? progress, CancellationToken cancellationToken)
    {
        using var guard = StateFolderLock.Take(options.StateFolder);
        await using var installer = new SlotInstaller(source, plan, slot, options, progress);
        return await installer.RunAsync(cancellationToken);
    }

    private static void RequireParts(BundleManifest manifest)
    {
        if (manifest.Header.Kind != BundleKind.Image) throw new InvalidDataException("it is no image");
        if (manifest.Payloads.Count(payload => payload.Kind == BundlePayloadKind.Root) != 1) throw new InvalidDataException("it does not have one root file system");
        if (manifest.Payloads.Count(payload => payload.Kind == BundlePayloadKind.Uki) > 1) throw new InvalidDataException("it has several kernel images");
    }
}
