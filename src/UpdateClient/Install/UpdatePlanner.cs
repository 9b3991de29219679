using Appliance.Core.Bundles;
using Appliance.Core.Releases;

namespace Appliance.UpdateClient.Install;

/// <summary>Finds the ways to get each payload and orders them by what they download.</summary>
internal sealed class UpdatePlanner(IRepositorySource source, DeviceFacts device, RunningSlot running, TargetSlot slot, UpdateOptions options)
{
    /// <summary>Plans a release.</summary>
    public async Task<UpdatePlan> PlanAsync(Release release, BundleManifest manifest, CancellationToken cancellationToken)
    {
        var payloads = new List<PayloadPlan>();
        foreach (var (listed, payload) in release.Payloads.Zip(manifest.Payloads))
        {
            if (payload.Kind is not (BundlePayloadKind.Root or BundlePayloadKind.Uki)) continue;
            var ways = await WaysAsync(release, listed, payload, cancellationToken);
            payloads.Add(new PayloadPlan(payload, ways.OrderBy(way => way.DownloadBytes).ToList()));
        }
        return new UpdatePlan { Release = release, Manifest = manifest, Payloads = payloads };
    }

    private async Task<List<PlannedWay>> WaysAsync(Release release, ReleasePayload listed, BundlePayload payload, CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        var ways = new List<PlannedWay>();
        _ = (device, running, slot, options);
        Add(ways, PlannedWay.Full, new FullWay(source, release.Bundle, listed, payload));
        return ways;
    }

    private static void Add(List<PlannedWay> ways, string name, IPayloadWay way) => ways.Add(new PlannedWay(name, way));
}
