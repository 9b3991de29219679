using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Releases;
using Appliance.Core.Tuf;

namespace Appliance.UpdateClient.Install;

/// <summary>Chooses among the releases of a channel the one that a device is to install.</summary>
internal sealed class ReleaseChoice(DeviceFacts device, string channel, UpdateOptions options)
{
    private const int MostShown = 5;

    /// <summary>Chooses.</summary>
    /// <param name="targets">The channel's targets.</param>
    /// <param name="only">SHA-256 of the release that is at hand when it is the only one, as in an offline bundle.</param>
    /// <exception cref="UserError">Nothing there is for this device, or what was asked for must not be installed.</exception>
    public UpdateCheck Choose(IReadOnlyList<TargetFile> targets, string? only)
    {
        var offers = targets.Select(target => (Target: target, Offer: TryParse(target))).Where(entry => entry.Offer is not null).Select(entry => (entry.Target, Offer: entry.Offer!)).ToList();
        if (only is not null)
        {
            offers = offers.Where(entry => entry.Target.Hashes.Sha256 == only).ToList();
            if (offers.Count == 0) throw new UserError($"The bundle's release is not one of the channel {channel}.", "Use a bundle that was exported from this device's channel.");
            if (offers.FirstOrDefault(entry => entry.Offer.Kind != device.Kind).Offer is { } other) throw WrongKind(other);
        }
        offers.RemoveAll(entry => entry.Offer.Kind != device.Kind);
        var fitting = offers.Where(entry => Fits(entry.Offer)).ToList();
        if (fitting.Count == 0 && (offers.Count > 0 || device.Kind == BundleKind.Workload)) throw Unfit(offers.ConvertAll(entry => entry.Offer), only is not null);
        return options.Version is { } wanted ? ChooseWanted(fitting, wanted) : ChooseNewest(fitting);
    }

    /// <summary>The place of a device among all, 0 to 99, for one version. It stays the same, so that a growing rollout only adds devices.</summary>
    internal static int RolloutPlace(string deviceId, ReleaseOffer offer)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"rollout:{offer.Id}:{offer.Version}:{deviceId}"));
        return (int)(BinaryPrimitives.ReadUInt32BigEndian(hash) % 100);
    }

    private UpdateCheck ChooseWanted(List<(TargetFile Target, ReleaseOffer Offer)> fitting, string wanted)
    {
        var (target, offer) = fitting.FirstOrDefault(entry => entry.Offer.Version == wanted);
        if (offer is null) throw new UserError($"The channel {channel} has no version {wanted} for this device.", $"It has: {(fitting.Count == 0 ? "none" : string.Join(", ", Ordered(fitting).Select(entry => entry.Offer.Version)))}");
        var order = Compare(offer);
        if (order < 0 && !options.Force) throw new UserError($"Version {offer.Version} is older than {device.Version}, which is running.", "Going back may lose what newer software has written; use --force when that is meant.");
        if (order == 0 && !options.Force) return new UpdateCheck(UpdateVerdict.UpToDate, offer, null);
        RequireMinimum(offer);
        return new UpdateCheck(UpdateVerdict.Available, offer, target);
    }

    private UpdateCheck ChooseNewest(List<(TargetFile Target, ReleaseOffer Offer)> fitting)
    {
        var newer = Ordered(fitting).Where(entry => options.Force || Compare(entry.Offer) > 0).ToList();
        if (newer.Count == 0) return new UpdateCheck(UpdateVerdict.UpToDate, Ordered(fitting).FirstOrDefault().Offer, null);
        var reached = newer.Where(entry => options.Force || RolloutPlace(device.DeviceId, entry.Offer) < entry.Offer.Rollout).ToList();
        if (reached.Count == 0) return new UpdateCheck(UpdateVerdict.Waiting, newer[0].Offer, null);
        var (target, offer) = reached.FirstOrDefault(entry => ReachesMinimum(entry.Offer));
        if (offer is null) RequireMinimum(reached[0].Offer);
        return new UpdateCheck(UpdateVerdict.Available, offer, target);
    }

    private static IOrderedEnumerable<(TargetFile Target, ReleaseOffer Offer)> Ordered(List<(TargetFile Target, ReleaseOffer Offer)> entries) =>
        entries.OrderByDescending(entry => entry.Offer.Version, UapiVersion.Comparer);

    private bool Fits(ReleaseOffer offer) => offer.Id == device.Id && offer.Board == device.Board && offer.Architecture == device.Architecture;

    /// <summary>Above 0 when an offer is newer than what is here; anything is newer than nothing.</summary>
    private int Compare(ReleaseOffer offer) => device.Version is null ? 1 : UapiVersion.Compare(offer.Version, device.Version);

    /// <summary>What is not here yet needs no step in between.</summary>
    private bool ReachesMinimum(ReleaseOffer offer) => offer.MinimumVersion is null || device.Version is null || UapiVersion.Compare(device.Version, offer.MinimumVersion) >= 0;

    private void RequireMinimum(ReleaseOffer offer)
    {
        if (!ReachesMinimum(offer))
            throw new UserError($"Version {offer.Version} can be installed from {offer.MinimumVersion} on; {device.Version} is running.", $"Install version {offer.MinimumVersion} or a later one that allows it first.");
    }

    private UserError WrongKind(ReleaseOffer other) => device.Kind == BundleKind.Image
        ? new UserError($"The bundle brings the workload {other.Id} {other.Version} and no operating system.", "Apply it as a workload (appliancectl workloads apply), or use a bundle that was built from an image definition.")
        : new UserError($"The bundle brings the operating system {other.Id} {other.Version} and no workload.", "Install it as one (appliancectl install), or use a bundle of `appliance bundle --workload`.");

    private UserError Unfit(List<ReleaseOffer> offers, bool bundle)
    {
        var what = bundle ? "The bundle" : $"The channel {channel}";
        if (device.Kind == BundleKind.Workload)
        {
            var same = offers.Where(offer => offer.Id == device.Id).Select(offer => offer.Architecture).Distinct().ToList();
            return same.Count > 0
                ? new UserError($"{what} has the workload {device.Id} for {string.Join(" and ", same)}, and this device is {device.Architecture}.", $"Build it for {device.Architecture} (architecture in workload.yaml) and publish that, too.")
                : new UserError($"{what} has no workload {device.Id}.", $"It has: {(offers.Count == 0 ? "none" : string.Join(", ", offers.Select(offer => offer.Id).Distinct().Order(StringComparer.Ordinal).Take(MostShown)))}");
        }
        var kinds = string.Join("; ", offers.Select(offer => $"{offer.Id} for {offer.Board} ({offer.Architecture})").Distinct().Take(MostShown));
        var (has, lacks) = offers.All(offer => offer.Id != device.Id) ? ("image", device.Id)
            : offers.All(offer => offer.Architecture != device.Architecture) ? ("architecture", device.Architecture)
            : ("board", device.Board);
        return new UserError($"{what} is for another {has}: it has {kinds}, and this device is {device.Id} for {device.Board} ({device.Architecture}).", $"Use one for the {has} {lacks}.");
    }

    /// <summary>What a target's custom member says; null for what is no release, or of a kind that a later program knows.</summary>
    internal static ReleaseOffer? TryParse(TargetFile target)
    {
        if (target.Custom is not { } custom) return null;
        try
        {
            return ReleaseReader.ParseOffer(custom);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }
}
