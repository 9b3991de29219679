using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Releases;
using Appliance.Core.Tuf;
using Appliance.Core.Workloads;
using Appliance.UpdateClient.Trust;

namespace Appliance.UpdateClient.Install;

/// <summary>
/// Fetches releases of workloads into files: the cheapest way from the release that is here, every byte verified from the
/// trusted root down, interrupted fetches gone on with.
/// </summary>
/// <param name="source">The repository.</param>
/// <param name="trust">The trusted metadata of that repository.</param>
/// <param name="channel">Channel of the repository.</param>
public sealed class WorkloadFetcher(IRepositorySource source, TufClient trust, string channel)
{
    private IReadOnlyList<TargetFile> _targets = [];

    /// <summary>Brings the metadata up to date.</summary>
    /// <exception cref="UserError">The repository cannot be reached or trusted.</exception>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await trust.RefreshAsync(cancellationToken);
        _targets = await trust.ReadChannelAsync(channel, cancellationToken);
    }

    /// <summary>Id of the one workload a bundle brings.</summary>
    /// <exception cref="UserError">The source is a whole repository, or the bundle brings none.</exception>
    public string ReadOnlyId()
    {
        if (source.OnlyRelease is not { } only) throw new UserError("Which workload is meant?", "Name one: appliancectl workloads apply shop");
        var offer = _targets.Where(target => target.Hashes.Sha256 == only).Select(ReleaseChoice.TryParse).FirstOrDefault()
            ?? throw new UserError($"The bundle's release is not one of the channel {channel}.", "Use a bundle that was exported from this device's channel.");
        return offer.Id;
    }

    /// <summary>Looks for a release to fetch.</summary>
    /// <param name="workload">The workload, and what of it is here.</param>
    /// <param name="options">What is allowed.</param>
    /// <exception cref="UserError">The channel has nothing for such a device.</exception>
    public UpdateCheck Choose(DeviceFacts workload, UpdateOptions options) => new ReleaseChoice(workload, channel, options).Choose(_targets, source.OnlyRelease);

    /// <summary>Fetches the release and its manifest and compares the ways to get its payload.</summary>
    /// <param name="check">A check that found something.</param>
    /// <param name="fromVersion">The release that is here, or null.</param>
    /// <param name="fromPath">Its payload, or null.</param>
    /// <param name="path">The file that will be written; what is in it is used, too.</param>
    /// <param name="options">What is allowed.</param>
    /// <param name="cancellationToken">Ends the planning.</param>
    public Task<UpdatePlan> PlanAsync(UpdateCheck check, string? fromVersion, string? fromPath, string path, UpdateOptions options, CancellationToken cancellationToken) =>
        FoundRelease.PlanAsync(source, trust, check, found =>
        {
            if (found.Manifest.Header.Kind != BundleKind.Workload) throw new InvalidDataException("it is no workload");
            Directory.CreateDirectory(options.StateFolder);
            var planner = new PayloadPlanner(source, found.Release, fromVersion, options.StateFolder);
            return found.PlanPayloadsAsync(planner, kind => kind == BundlePayloadKind.Workload ? (fromPath, path) : null, cancellationToken);
        }, cancellationToken);

    /// <summary>Fetches the payload. When this returns, it is on the disk whole, and what is in it is a release that fits its signature.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="path">The file to write, as it was planned; an interrupted fetch is gone on with.</param>
    /// <param name="options">What is allowed.</param>
    /// <param name="progress">Gets the progress; may be null.</param>
    /// <param name="cancellationToken">Ends the fetch within a second; the next one goes on.</param>
    /// <exception cref="UserError">Something a person can mend.</exception>
    public async Task<UpdateResult> FetchAsync(UpdatePlan plan, string path, UpdateOptions options, IProgress<UpdateProgress>? progress, CancellationToken cancellationToken)
    {
        await using var run = new PayloadRun(source, plan, options, progress);
        var payload = plan.Payloads.Single();
        var begun = File.Exists(path);
        using (var target = BlockTarget.Open(new SlotRegion(path), payload.Payload.Size))
        {
            await using var writer = run.NewWriter(payload, target);
            await run.WriteAsync(payload, writer, begun, cancellationToken);
            run.Begin(UpdatePhase.Finishing);
            target.Trim(payload.Payload.Size);
            await writer.SyncAsync();
        }
        PatchSpool.Clear(options.StateFolder);
        await RequireReleaseAsync(plan, path, cancellationToken);
        return run.Finish();
    }

    /// <summary>The publisher's tools make no other, but other programs might.</summary>
    private static async Task RequireReleaseAsync(UpdatePlan plan, string path, CancellationToken cancellationToken)
    {
        var header = plan.Release.Header;
        try
        {
            await using var payload = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
            var release = await WorkloadArchiveReader.VerifyAsync(payload, cancellationToken);
            if (!WorkloadReleaseReader.IsOf(release, header)) throw new InvalidDataException("what is in it is another release");
            WorkloadReleaseReader.RequireOwnImages(release);
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"The workload {header.Id} {header.Version} cannot be used: {e.Message}.", "It was published by another program or an old one: build and publish it anew.", e);
        }
    }
}
