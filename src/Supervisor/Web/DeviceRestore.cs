using Appliance.Supervisor.State;

namespace Appliance.Supervisor.Web;

/// <summary>A restore that happened.</summary>
/// <param name="At">When.</param>
/// <param name="From">The version whose changes were discarded.</param>
/// <param name="To">The version whose state was put back.</param>
/// <param name="Since">When that state had been kept aside.</param>
/// <param name="Paths">The paths.</param>
/// <param name="Bytes">Bytes of the files that were replaced.</param>
/// <param name="Newest">When the youngest of them had been written, or null when there was none.</param>
internal sealed record DeviceRestore(DateTimeOffset At, string From, string To, DateTimeOffset Since, IReadOnlyList<string> Paths, long Bytes, DateTimeOffset? Newest) : DeviceLoss(From, To, Since, Paths)
{
    /// <summary>What was discarded.</summary>
    public static DeviceRestore Of(RestoreReport report) => new(report.At, report.From, report.To, report.TakenAt, report.Paths, report.BytesDiscarded, report.NewestDiscarded);
}
