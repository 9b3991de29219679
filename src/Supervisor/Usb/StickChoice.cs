using Appliance.Core;

namespace Appliance.Supervisor.Usb;

/// <summary>The bundle of a stick that a device is to take. It only spares the device useless work: whether a bundle may be installed is the worker's to say.</summary>
/// <param name="Chosen">The bundle, or null.</param>
/// <param name="Refused">Why each of the others is not taken.</param>
/// <param name="IsCurrent">True when the stick brought what runs or waits for its restart: it was left in, and there is nothing to tell.</param>
internal sealed record StickChoice(StickBundle? Chosen, IReadOnlyList<string> Refused, bool IsCurrent)
{
    /// <summary>Chooses the newest version that is newer than what the device has.</summary>
    public static StickChoice Of(IReadOnlyList<StickBundle> bundles, StickDevice device)
    {
        var refused = bundles.Select(bundle => (Bundle: bundle, Reason: Reason(bundle, device))).ToList();
        var chosen = refused.Where(entry => entry.Reason is null).Select(entry => entry.Bundle).MaxBy(bundle => bundle.Claims!.Version, UapiVersion.Comparer);
        var current = bundles.Any(bundle => bundle.Claims is { } claims && Fits(claims, device) && (claims.Version == device.Version || claims.Version == device.Pending));
        return new StickChoice(chosen, refused.Select(entry => entry.Reason).OfType<string>().ToList(), current);
    }

    private static string? Reason(StickBundle bundle, StickDevice device)
    {
        if (bundle.Claims is not { } claims) return bundle.Fault;
        if (!Fits(claims, device)) return $"{bundle.Name} is {claims.Id} for {claims.Board} ({claims.Architecture}), and this device is {device.Id} for {device.Board} ({device.Architecture})";
        if (device.Failed.Contains(claims.Version)) return $"{bundle.Name} has version {claims.Version}, which was tried here and not kept";
        if (UapiVersion.Compare(claims.Version, device.Version) is var order and <= 0) return $"{bundle.Name} has version {claims.Version}, {(order == 0 ? "which runs already" : $"older than {device.Version}, which runs")}";
        if (device.Pending is { } pending && UapiVersion.Compare(claims.Version, pending) <= 0) return $"{bundle.Name} has version {claims.Version}, and {pending} is installed and waits for the restart";
        return null;
    }

    private static bool Fits(Core.Bundles.BundleHeader claims, StickDevice device) => claims.Id == device.Id && claims.Board == device.Board && claims.Architecture == device.Architecture;
}
