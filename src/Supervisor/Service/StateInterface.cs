using Appliance.Supervisor.Bus;
using Appliance.Supervisor.State;
using static Appliance.Supervisor.Service.BusValues;

namespace Appliance.Supervisor.Service;

/// <summary>The members of <c>io.appliance.Supervisor1</c> that are about what going back discards. They change with a boot or a commit, which others announce.</summary>
internal sealed class StateInterface(StateLosses losses)
{
    /// <summary>The properties.</summary>
    public IReadOnlyList<BusProperty> Properties =>
    [
        new("LastRestore", "a{sv}", () => losses.Last is { } report ? Describe(report) : []) { EmitsChange = false },
        new("RollbackDiscards", "a{sv}", () => losses.Next is { } snapshot ? Bag(("From", snapshot.Version), ("To", snapshot.From), ("Since", Moment(snapshot.TakenAt)), ("Paths", snapshot.Paths)) : []) { EmitsChange = false },
    ];

    private static Dictionary<object, object> Describe(RestoreReport report) => Bag(
        ("At", Moment(report.At)), ("From", report.From), ("To", report.To), ("Since", Moment(report.TakenAt)), ("Paths", report.Paths), ("Bytes", (ulong)report.BytesDiscarded), ("Newest", report.NewestDiscarded is { } newest ? Moment(newest) : null));
}
