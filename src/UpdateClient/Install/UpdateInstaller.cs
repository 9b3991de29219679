using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Releases;
using Appliance.UpdateClient.Sources;
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
    private const string LockName = "lock";

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
    public async Task<UpdatePlan> PlanAsync(UpdateCheck check, RunningSlot running, TargetSlot slot, CancellationToken cancellationToken)
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
            RequireParts(manifest);
            return await new UpdatePlanner(source, device, running, slot, options).PlanAsync(release, manifest, cancellationToken);
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"The release {target.Path} cannot be used: {e.Message}.", "It was published wrongly or by another program: publish its content as a new version.", e);
        }
    }

    /// <summary>Carries a plan out.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="slot">The slot to write.</param>
    /// <param name="progress">Gets the progress; may be null.</param>
    /// <param name="cancellationToken">Ends the installation within a second; the next run goes on.</param>
    /// <exception cref="UserError">Something a person can mend.</exception>
    public async Task<UpdateResult> InstallAsync(UpdatePlan plan, TargetSlot slot, IProgress<UpdateProgress>? progress, CancellationToken cancellationToken)
    {
        using var guard = Lock();
        using var installer = new SlotInstaller(source, plan, slot, options, progress);
        return await installer.RunAsync(cancellationToken);
    }

    private static void RequireParts(BundleManifest manifest)
    {
        if (manifest.Header.Kind != BundleKind.Image) throw new InvalidDataException("it is no image");
        if (manifest.Payloads.Count(payload => payload.Kind == BundlePayloadKind.Root) != 1) throw new InvalidDataException("it does not have one root file system");
        if (manifest.Payloads.Count(payload => payload.Kind == BundlePayloadKind.Uki) > 1) throw new InvalidDataException("it has several kernel images");
    }

    /// <summary>Two installations into one slot would undo each other.</summary>
    private FileStream Lock()
    {
        try
        {
            Directory.CreateDirectory(options.StateFolder);
            return new FileStream(Path.Combine(options.StateFolder, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is UnauthorizedAccessException || e is IOException io && (NativeFile.IsReadOnly(io) || NativeFile.IsDiskFull(io)))
        {
            throw new UserError($"The state folder {options.StateFolder} cannot be written: {e.Message}", "Free space on the data partition, or check that it is mounted and writable.", e);
        }
        catch (IOException e)
        {
            throw new UserError($"Another update is under way: {e.Message}", "Wait until it ends, or stop it first.", e);
        }
    }
}
