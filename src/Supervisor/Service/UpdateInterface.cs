using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using Microsoft.Win32.SafeHandles;
using static Appliance.Supervisor.Service.BusValues;

namespace Appliance.Supervisor.Service;

/// <summary>The members of <c>io.appliance.Supervisor1</c> that are about updates.</summary>
internal sealed class UpdateInterface(UpdateEngine engine, UpdateSchedule schedule)
{
    /// <summary>Names of the properties that change with the engine.</summary>
    public static readonly string[] Changing = ["UpdateState", "PendingVersion", "Slots", "CurrentJob", "LastResult", "LastCheck", "FailedVersions", "History"];

    /// <summary>The methods.</summary>
    public IReadOnlyList<BusMethod> Methods =>
    [
        new("Check", "a{sv}", "o", ["options", "job"], arguments => BusErrors.Named(() => [JobObjects.PathOf(engine.Check(Request(arguments[0])))])),
        new("Install", "sa{sv}", "o", ["source", "options", "job"], arguments => BusErrors.Named(() => [JobObjects.PathOf(engine.Install(Request(arguments[1]) with { Source = BusRequest.Text("source", arguments[0]) }))])),
        new("InstallStream", "ha{sv}", "o", ["bundle", "options", "job"], arguments => BusErrors.Named(() => [JobObjects.PathOf(BusRequest.WithStream((SafeFileHandle)arguments[0], bundle => engine.Install(Request(arguments[1]), bundle)))])),
        new("Cancel", "", "", [], _ => BusErrors.Named(() => { engine.Cancel(); return []; })),
        BusMethod.Slow("Reboot", "b", "as", ["force", "inhibitors"], arguments => BusErrors.NamedAsync(async () => [await engine.RebootAsync((bool)arguments[0], CancellationToken.None)])),
        BusMethod.Slow("Rollback", "b", "as", ["force", "inhibitors"], arguments => BusErrors.NamedAsync(async () => [await engine.RollbackAsync(BusRequest.Operator, (bool)arguments[0], CancellationToken.None)])),
        BusMethod.Slow("MarkGood", "", "", [], _ => BusErrors.NamedAsync(async () => { await engine.MarkGoodAsync(CancellationToken.None); return []; })),
        BusMethod.Slow("MarkBad", "s", "", ["slot"], arguments => BusErrors.NamedAsync(async () => { await engine.MarkBadAsync((string)arguments[0], BusRequest.Operator, CancellationToken.None); return []; })),
        new("NoteRefused", "ss", "", ["by", "reason"], arguments => BusErrors.Named(() => { engine.NoteRefused((string)arguments[0], (string)arguments[1]); return []; })),
        new("ClearFailed", "s", "", ["version"], arguments => BusErrors.Named(() => { engine.ClearFailed((string)arguments[0]); return []; })),
    ];

    /// <summary>The properties.</summary>
    public IReadOnlyList<BusProperty> Properties =>
    [
        new("UpdateState", "s", () => StateWord(engine)),
        new("PendingVersion", "s", () => engine.State.Pending?.Version ?? ""),
        new("Slots", "aa{sv}", () => engine.Slots.Select(Slot).ToList()),
        new("CurrentJob", "o", () => engine.Job is { View.State: JobState.Running } job ? JobObjects.PathOf(job) : new ObjectPath("/")),
        new("LastResult", "a{sv}", () => engine.State.History is [.., var last] ? Entry(last) : []),
        new("LastCheck", "a{sv}", () => engine.State.LastCheck is { } check ? Bag(("At", Moment(check.At)), ("Verdict", check.Verdict), ("Version", check.Version), ("Message", check.Message), ("DownloadBytes", (ulong?)check.DownloadBytes), ("Notes", check.Notes)) : []),
        new("FailedVersions", "aa{sv}", () => engine.State.Failed.Select(failed => Bag(("Version", failed.Version), ("Reason", failed.Reason), ("At", Moment(failed.At)), ("Failures", failed.Failures), ("Journal", failed.Journal))).ToList()),
        new("History", "aa{sv}", () => engine.State.History.Select(Entry).ToList()),
        new("NextCheck", "t", () => schedule.NextLook is { } next ? Moment(next) : 0ul) { EmitsChange = false },
    ];

    /// <summary>The engine's state in a word: its phase, or what a job is at.</summary>
    public static string StateWord(UpdateEngine engine) =>
        engine.Rebooting ? "rebooting" : engine.State.Phase == EnginePhase.Idle && engine.Job is { View: { State: JobState.Running } } ? "checking" : DeviceView.Word(engine.State.Phase);

    /// <summary>The options of Check and Install; one that is not known is refused, since it may have been meant.</summary>
    private static InstallRequest Request(object options)
    {
        var request = new InstallRequest { By = BusRequest.Operator };
        foreach (var (name, given) in BusRequest.Options(options))
        {
            request = name switch
            {
                "source" => request with { Source = BusRequest.Text(name, given) },
                "channel" => request with { Channel = BusRequest.Text(name, given) },
                "version" => request with { Version = BusRequest.Text(name, given) },
                "force" => request with { Force = BusRequest.Flag(name, given) },
                "reboot" => request with { Reboot = BusRequest.Flag(name, given) },
                "by" => request with { By = BusRequest.Text(name, given) ?? BusRequest.Operator },
                _ => throw new UserError($"There is no option {name}.", "The options are source, channel, version, force, reboot and by."),
            };
        }
        return request;
    }

    private static Dictionary<object, object> Slot(SlotStatus slot) => Bag(
        ("Name", slot.Name), ("Running", slot.Running), ("State", DeviceView.Word(slot.State)), ("Version", slot.Version), ("RootHash", slot.RootHash), ("TriesLeft", slot.TriesLeft ?? -1), ("TriesDone", slot.TriesDone));

    private static Dictionary<object, object> Entry(HistoryEntry entry) =>
        Bag(("At", Moment(entry.At)), ("Outcome", entry.Outcome), ("Version", entry.Version), ("From", entry.From), ("Detail", entry.Detail));
}
