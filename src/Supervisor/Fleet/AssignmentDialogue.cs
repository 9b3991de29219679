using Serilog;

namespace Appliance.Supervisor.Fleet;

/// <summary>What device and server have to say to each other of assignments: what is to be done, stopped or agreed to, and how it goes.</summary>
/// <param name="work">Does what is assigned.</param>
/// <param name="attempt">Does one of several things that go through the server, and says what it is: when it fails, the others need not.</param>
/// <param name="pollNow">Has the server asked again soon.</param>
/// <param name="time">Clock.</param>
internal sealed class AssignmentDialogue(AssignmentWork work, Func<string, Func<Task>, Task> attempt, Action pollNow, TimeProvider time)
{
    /// <summary>What waits until somebody at the device agrees to it, or null.</summary>
    public UnconfirmedAssignment? Unconfirmed { get; private set; }

    /// <summary>Forgets what another server said.</summary>
    public void Reset() => Unconfirmed = null;

    /// <summary>Does what the server's links ask for.</summary>
    public async Task FollowAsync(DdiClient client, DdiTasks tasks, CancellationToken cancellationToken)
    {
        var (wish, action) = (tasks.ActionOf("cancelAction"), tasks.ActionOf("deploymentBase"));
        if (wish is not null) await attempt("asked what is to be stopped", async () => await StopAsync(client, await client.FetchCancelAsync(wish, cancellationToken), cancellationToken));
        if (action is not null) await attempt("asked what is to be done", () => BeginAsync(client, action, cancellationToken));
        // The server has ended it without a word, or was put back to a time before it.
        if (wish is null && action is null && work.Current is { IsOver: false }) await work.CancelAsync(cancellationToken);
        await attempt("asked what is to be agreed to", () => LookForUnconfirmedAsync(client, tasks.ActionOf("confirmationBase"), cancellationToken));
    }

    /// <summary>Tells the server what it does not know yet of the assignment.</summary>
    public async Task TellAsync(DdiClient client, CancellationToken cancellationToken)
    {
        if (work.Current is not { IsReported: false } current) return;
        try
        {
            foreach (var news in work.TakeNews()) await client.ReportAsync("deploymentBase", current.Id, "proceeding", "none", [news], cancellationToken);
            if (!current.IsOver) return;
            await client.ReportAsync("deploymentBase", current.Id, "closed", current.Step == AssignmentStep.Succeeded ? "success" : "failure", current.Words, cancellationToken);
        }
        catch (DdiException e) when (e.Fault is DdiFault.Gone or DdiFault.Rejected)
        {
            Log.Warning("The server does not want to hear of action {Action}: {Reason}", current.Id, e.Message);
        }
        if (!current.IsOver) return;
        work.NoteReported();
        pollNow(); // what comes after it
    }

    private async Task LookForUnconfirmedAsync(DdiClient client, string? waiting, CancellationToken cancellationToken)
    {
        Unconfirmed = waiting is null ? null : Unconfirmed is { } known && known.Id == waiting ? known
            : (await client.FetchUnconfirmedAsync(waiting, cancellationToken)).Chunks is [{ Title: var (name, version) }, ..] ? new UnconfirmedAssignment(waiting, name, version, time.GetUtcNow()) : null;
    }

    private async Task BeginAsync(DdiClient client, string action, CancellationToken cancellationToken)
    {
        var deployment = await client.FetchAsync(action, cancellationToken);
        var mayRestart = deployment.MaintenanceWindow != "unavailable" && deployment.Update != "skip";
        if (work.Current is { } current && current.Id == action)
        {
            work.SetRestart(mayRestart, deployment.Update == "forced");
            work.NoteUnreported(); // it was told the end, and asks again
            return;
        }
        if (deployment.Download == "skip") return; // not yet
        // One at a time: what runs now is not the server's wish any more, or was never.
        if (work.Current is { IsOver: false } && await work.CancelAsync(cancellationToken) is { } why)
        {
            Log.Information("The next assignment waits: {Reason}", why);
            return;
        }
        if (AssignmentReader.TryRead(action, deployment, mayRestart, time.GetUtcNow(), out var reason) is { } assignment) work.Take(assignment);
        else await client.ReportAsync("deploymentBase", action, "closed", "failure", [reason], cancellationToken);
    }

    private async Task StopAsync(DdiClient client, string action, CancellationToken cancellationToken)
    {
        var goesOn = work.Current?.Id == action ? await work.CancelAsync(cancellationToken) : null;
        await client.ReportAsync("cancelAction", action, goesOn is null ? "closed" : "rejected", goesOn is null ? "success" : "none", [goesOn ?? "It is stopped."], cancellationToken);
        if (goesOn is not null) work.NoteUnreported();
        pollNow(); // what comes after it
    }
}
