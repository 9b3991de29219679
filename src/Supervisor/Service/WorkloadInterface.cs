using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Microsoft.Win32.SafeHandles;
using static Appliance.Supervisor.Service.BusValues;

namespace Appliance.Supervisor.Service;

/// <summary>The members of <c>io.appliance.Supervisor1</c> that are about workloads.</summary>
internal sealed class WorkloadInterface(WorkloadUpdates workloads)
{
    /// <summary>The property that changes with them.</summary>
    public const string Changing = "Workloads";

    /// <summary>The methods.</summary>
    public IReadOnlyList<BusMethod> Methods =>
    [
        new("CheckWorkload", "sa{sv}", "o", ["id", "options", "job"], arguments => Job(() => workloads.Check(Request(arguments[1]) with { Id = Id(arguments[0]) }))),
        new("ApplyWorkload", "sa{sv}", "o", ["id", "options", "job"], arguments => Job(() => workloads.Apply(Request(arguments[1]) with { Id = Id(arguments[0]) }))),
        new("ApplyWorkloadStream", "ha{sv}", "o", ["bundle", "options", "job"], arguments => Job(() => BusRequest.WithStream((SafeFileHandle)arguments[0], bundle => workloads.Apply(Request(arguments[1]), bundle)))),
        new("RollBackWorkload", "s", "o", ["id", "job"], arguments => Job(() => workloads.RollBack((string)arguments[0], BusRequest.Operator))),
        new("RemoveWorkload", "s", "o", ["id", "job"], arguments => Job(() => workloads.Remove((string)arguments[0], BusRequest.Operator))),
        BusMethod.Slow("WorkloadStatus", "s", "a{sv}", ["id", "status"], arguments => BusErrors.NamedAsync(async () => [Status(await workloads.ReadAsync((string)arguments[0], CancellationToken.None))])),
        BusMethod.Slow("WorkloadLog", "ssu", "as", ["id", "container", "lines", "log"], arguments => BusErrors.NamedAsync(async () =>
            [await workloads.ReadLogAsync((string)arguments[0], (string)arguments[1] is { Length: > 0 } container ? container : null, (int)Math.Min((uint)arguments[2], int.MaxValue), CancellationToken.None)])),
    ];

    /// <summary>The property.</summary>
    public BusProperty Property => new(Changing, "aa{sv}", () => workloads.Known.Select(Status).ToList());

    private static object[] Job(Func<UpdateJob> begin) => BusErrors.Named(() => [JobObjects.PathOf(begin())]);

    private static string? Id(object argument) => (string)argument is { Length: > 0 } id ? id : null;

    private static WorkloadRequest Request(object options)
    {
        var request = new WorkloadRequest { By = BusRequest.Operator };
        foreach (var (name, given) in BusRequest.Options(options))
        {
            request = name switch
            {
                "source" => request with { Source = BusRequest.Text(name, given) },
                "channel" => request with { Channel = BusRequest.Text(name, given) },
                "version" => request with { Version = BusRequest.Text(name, given) },
                "force" => request with { Force = BusRequest.Flag(name, given) },
                "by" => request with { By = BusRequest.Text(name, given) ?? BusRequest.Operator },
                _ => throw new UserError($"There is no option {name}.", "The options are source, channel, version, force and by."),
            };
        }
        return request;
    }

    /// <summary>A workload as it looks on the bus.</summary>
    public static Dictionary<object, object> Status(WorkloadStatus workload)
    {
        var state = workload.State;
        var last = state.History is [.., var newest] ? newest : null;
        return Bag(
            ("Id", workload.Id), ("Version", state.Current), ("Previous", state.Previous), ("State", state.Trial is { } trial ? DeviceView.Word(trial.Phase) : "idle"), ("TrialVersion", state.Trial?.Version),
            ("LastOutcome", last?.Outcome), ("LastVersion", last?.Version), ("LastDetail", last?.Detail), ("LastAt", last is null ? null : Moment(last.At)), ("Included", workload.Included), ("Trouble", workload.Trouble),
            ("Objects", workload.Objects?.Select(found => Bag(("Object", found.Object), ("State", found.State), ("Message", found.Message))).ToList()));
    }
}
