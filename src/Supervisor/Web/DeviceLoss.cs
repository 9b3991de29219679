using Appliance.Supervisor.State;

namespace Appliance.Supervisor.Web;

/// <summary>What a restore discarded, or would discard.</summary>
/// <param name="From">The version whose changes are discarded.</param>
/// <param name="To">The version whose state is put back.</param>
/// <param name="Since">When that state was kept aside: what was written later is what is discarded.</param>
/// <param name="Paths">The paths.</param>
internal record DeviceLoss(string From, string To, DateTimeOffset Since, IReadOnlyList<string> Paths)
{
    /// <summary>What would be discarded.</summary>
    public static DeviceLoss Of(StateSnapshot snapshot) => new(snapshot.Version, snapshot.From, snapshot.TakenAt, snapshot.Paths);
}
