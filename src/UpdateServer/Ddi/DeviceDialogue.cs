using Appliance.UpdateServer.Assignments;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Ddi;

/// <summary>What a device asks and says, apart from how DDI writes it.</summary>
internal sealed class DeviceDialogue(FleetDatabase database, SeenDevices seen, ServerMetrics metrics, TimeProvider time)
{
    private const int MostAttributes = 100;

    /// <summary>What a device has to do.</summary>
    /// <param name="Device">The device.</param>
    /// <param name="Action">The oldest action that is not over.</param>
    /// <param name="Installed">The action by which it has what it has installed.</param>
    public sealed record Tasks(Device Device, UpdateAction? Action, long? Installed);

    /// <summary>An action and its release.</summary>
    public sealed record Deployment(UpdateAction Action, Release Release, IReadOnlyList<ActionMessage> Messages);

    /// <summary>What there is to do.</summary>
    public async Task<Tasks> AskAsync(Device device, CancellationToken cancellationToken)
    {
        seen.Note(device.Id);
        metrics.Polled();
        await using var context = database.Open();
        var action = await context.Actions.AsNoTracking().Where(row => row.DeviceId == device.Id && row.IsActive).OrderBy(row => row.Id).FirstOrDefaultAsync(cancellationToken);
        long? installed = device.InstalledReleaseId is null ? null
            : await context.Actions.Where(row => row.DeviceId == device.Id && row.ReleaseId == device.InstalledReleaseId && row.State == ActionState.Finished).MaxAsync(row => (long?)row.Id, cancellationToken);
        return new Tasks(device, action, installed);
    }

    /// <summary>An action of a device. One that is fetched to be done is the device's from now on.</summary>
    /// <exception cref="DdiException">It has none such.</exception>
    public async Task<Deployment> FetchAsync(Device device, long actionId, bool toDo, int messages, CancellationToken cancellationToken)
    {
        var action = await FindAsync(device, actionId, cancellationToken);
        if (toDo && !action.IsActive) throw DdiException.Gone(actionId);
        if (toDo && action.State == ActionState.WaitingForConfirmation) throw DdiException.NotFound($"deployment {actionId} before it is confirmed");
        if (toDo && action.State == ActionState.Pending
            && !await database.WriteAsync(context => new ActionJournal(context, time.GetUtcNow()).AdvanceAsync(actionId, ActionState.Retrieved, cancellationToken, ActionState.Pending, ActionState.Retrieved), cancellationToken))
            throw DdiException.Gone(actionId); // called off in this moment
        await using var context = database.Open();
        var release = await context.Releases.AsNoTracking().Include(row => row.Artifacts).SingleAsync(row => row.Id == action.ReleaseId, cancellationToken);
        var words = messages == 0 ? [] : await context.Messages.AsNoTracking().Where(row => row.ActionId == actionId).OrderByDescending(row => row.Id).Take(messages < 0 ? ActionJournal.MostMessages : messages).ToListAsync(cancellationToken);
        return new Deployment(action, release, words);
    }

    /// <summary>An action of a device that was asked to stop.</summary>
    /// <exception cref="DdiException">It has none such.</exception>
    public async Task<UpdateAction> FetchCancelAsync(Device device, long actionId, CancellationToken cancellationToken)
    {
        var action = await FindAsync(device, actionId, cancellationToken);
        return action is { IsActive: true, State: ActionState.Canceling } ? action : throw DdiException.NotFound($"action {actionId} that is to be canceled");
    }

    /// <summary>How it goes with an action.</summary>
    /// <exception cref="DdiException">It has none such, it is over, or the words make no sense.</exception>
    public async Task ReportAsync(Device device, long actionId, Feedback feedback, CancellationToken cancellationToken)
    {
        var state = feedback.State ?? throw DdiException.BadRequest($"status.execution \"{feedback.Status?.Execution}\" is not known.");
        seen.Note(device.Id);
        metrics.Reported(feedback.Status!.Execution!.ToLowerInvariant());
        var action = await FindAsync(device, actionId, cancellationToken);
        if (!action.IsActive) throw DdiException.Gone(actionId);
        await database.WriteAsync(async context =>
        {
            var journal = new ActionJournal(context, time.GetUtcNow());
            var words = feedback.Words();
            await journal.SayAsync(actionId, feedback.Status!.Execution!.ToLowerInvariant(), words, cancellationToken);
            if (UpdateAction.IsOver(state))
            {
                if (!await journal.EndAsync(action, state, words, null, cancellationToken)) throw DdiException.Gone(actionId);
            }
            else await journal.AdvanceAsync(actionId, state, cancellationToken);
        }, cancellationToken);
    }

    /// <summary>What the device did about the wish to stop.</summary>
    /// <exception cref="DdiException">It has none such, or the words make no sense.</exception>
    public async Task ReportCancelAsync(Device device, long actionId, Feedback feedback, CancellationToken cancellationToken)
    {
        var action = await FetchCancelAsync(device, actionId, cancellationToken);
        seen.Note(device.Id);
        var (execution, words) = (feedback.Status?.Execution?.ToLowerInvariant(), feedback.Words());
        var stops = feedback.State == ActionState.Canceled || (execution == "closed" && feedback.State == ActionState.Finished);
        var goesOn = execution == "rejected" || (execution == "closed" && feedback.State == ActionState.Failed);
        if (feedback.State is null) throw DdiException.BadRequest($"status.execution \"{execution}\" is not known.");
        await database.WriteAsync(async context =>
        {
            var journal = new ActionJournal(context, time.GetUtcNow());
            await journal.SayAsync(actionId, execution!, words, cancellationToken);
            if (stops) await journal.EndAsync(action, ActionState.Canceled, action.Detail ?? "it was called off", null, cancellationToken);
            else if (goesOn) await journal.KeepAsync(actionId, words, cancellationToken);
        }, cancellationToken);
    }

    /// <summary>What somebody at the device said to an assignment.</summary>
    /// <exception cref="DdiException">It has none such, or the words make no sense.</exception>
    public async Task ConfirmAsync(Device device, long actionId, ConfirmationFeedback feedback, CancellationToken cancellationToken)
    {
        var action = await FindAsync(device, actionId, cancellationToken);
        if (!action.IsActive) throw DdiException.Gone(actionId);
        var agreed = feedback.Confirmation?.ToLowerInvariant() switch
        {
            "confirmed" => true,
            "denied" => false,
            _ => throw DdiException.BadRequest($"confirmation \"{feedback.Confirmation}\" is neither confirmed nor denied."),
        };
        await database.WriteAsync(async context =>
        {
            var journal = new ActionJournal(context, time.GetUtcNow());
            await journal.SayAsync(actionId, agreed ? "confirmed" : "denied", new Feedback { Status = new FeedbackStatus { Details = feedback.Details } }.Words(), cancellationToken);
            if (agreed) await journal.AdvanceAsync(actionId, ActionState.Pending, cancellationToken, ActionState.WaitingForConfirmation);
        }, cancellationToken);
    }

    /// <summary>Whether assignments need nobody's word on the device from now on; those that wait need none then.</summary>
    public Task SetConfirmsByItselfAsync(Device device, bool value, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        await context.Devices.Where(row => row.Id == device.Id).ExecuteUpdateAsync(set => set.SetProperty(row => row.ConfirmsByItself, value), cancellationToken);
        if (value) await context.Actions.Where(row => row.DeviceId == device.Id && row.IsActive && row.State == ActionState.WaitingForConfirmation).ExecuteUpdateAsync(set => set.SetProperty(row => row.State, ActionState.Pending), cancellationToken);
    }, cancellationToken);

    /// <summary>What a device says of itself.</summary>
    /// <exception cref="DdiException">It makes no sense.</exception>
    public Task DescribeAsync(Device device, ConfigData config, CancellationToken cancellationToken)
    {
        var mode = config.Mode?.ToLowerInvariant() ?? "merge";
        if (mode is not ("merge" or "replace" or "remove")) throw DdiException.BadRequest($"mode \"{config.Mode}\" is not known.");
        var data = config.Data ?? throw DdiException.BadRequest("data is missing.");
        foreach (var (key, value) in data)
        {
            if (key.Length is 0 or > FleetContext.LongestName || value?.Length > FleetContext.LongestName) throw DdiException.BadRequest($"An attribute's key and value have at most {FleetContext.LongestName} characters.");
            if (key.Contains('\0', StringComparison.Ordinal) || value?.Contains('\0', StringComparison.Ordinal) == true) throw DdiException.BadRequest("An attribute is text.");
            if (key.StartsWith(DeviceAttribute.LabelPrefix, StringComparison.Ordinal)) throw DdiException.BadRequest($"{key} is a label, which the device does not set.");
        }
        return database.WriteAsync(async context =>
        {
            var known = await context.Attributes.Where(row => row.DeviceId == device.Id).ToDictionaryAsync(row => row.Key, cancellationToken);
            foreach (var (key, value) in data.Where(pair => mode != "remove" && pair.Value is not null))
            {
                if (!known.TryGetValue(key, out var row)) context.Attributes.Add(known[key] = new DeviceAttribute { DeviceId = device.Id, Key = key, Value = value! });
                else if (row.Value != value) row.Value = value!;
            }
            context.Attributes.RemoveRange(known.Values.Where(row => !row.Key.StartsWith(DeviceAttribute.LabelPrefix, StringComparison.Ordinal) && (mode == "remove" ? data.ContainsKey(row.Key) : mode == "replace" && !data.ContainsKey(row.Key))));
            if (known.Count > MostAttributes) throw DdiException.BadRequest($"A device has at most {MostAttributes} attributes.");
            await context.Devices.Where(row => row.Id == device.Id).ExecuteUpdateAsync(set => set.SetProperty(row => row.WantsAttributes, false), cancellationToken);
        }, cancellationToken);
    }

    private async Task<UpdateAction> FindAsync(Device device, long actionId, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        return await context.Actions.AsNoTracking().FirstOrDefaultAsync(row => row.Id == actionId && row.DeviceId == device.Id, cancellationToken) ?? throw DdiException.NotFound($"action {actionId} of {device.ControllerId}");
    }
}
