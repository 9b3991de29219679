using Appliance.Core;
using Appliance.Supervisor.Worker;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>The workload engine by its units, and then by what it says itself of its node and of the objects of releases.</summary>
/// <param name="units">The engine as systemd sees it.</param>
/// <param name="included">Ids of the workloads that the image brings.</param>
/// <param name="version">The image's version, which names what is not yet as the image wants it: an image before excuses nothing of it.</param>
/// <param name="workloads">The workloads; looked up late, for they know the health monitor.</param>
internal sealed class WorkloadHealth(UnitWorkloads units, IReadOnlyList<string> included, string version, Func<WorkloadUpdates> workloads) : IWorkloadHealth
{
    private const int MostNamed = 5;

    /// <inheritdoc/>
    public bool Follows(string unit) => units.Follows(unit);

    /// <inheritdoc/>
    public async Task<ProbeResult> TryNodeAsync(CancellationToken cancellationToken)
    {
        var running = await units.TryNodeAsync(cancellationToken);
        // Podman has no node, and a node without a control plane no API to ask.
        if (!running.Passed || !running.Working.Contains(UnitWorkloads.Server)) return running;
        return await AskAsync(async () =>
        {
            var node = await workloads().ReadNodeAsync(cancellationToken);
            return node.State == ReadinessState.Ready ? ProbeResult.Pass(node.Message) : ProbeResult.Wait(node.Message);
        });
    }

    /// <inheritdoc/>
    public async Task<ProbeResult> TryWorkloadsAsync(CancellationToken cancellationToken)
    {
        var running = await units.TryWorkloadsAsync(cancellationToken);
        if (running.Outcome != ProbeOutcome.Passed) return running;
        // Before that the engine has better things to do, and what runs may be the release before.
        var open = included.Where(id => !workloads().IsSettled(id)).ToList();
        if (open.Count > 0)
            return ProbeResult.Wait(Words(open.ConvertAll(id => $"{id}: what the image brings is not applied yet{(workloads().TroubleOf(id) is { } trouble ? $": {trouble}" : "")}"))) with { Unfinished = open.ConvertAll(NameOf) };
        return await AskAsync(async () => Judge(await workloads().ReadHealthAsync(cancellationToken), running));
    }

    private string NameOf(string id) => $"{id} of {version}";

    /// <summary>A worker that does not answer is a fault of ours, and no workload's.</summary>
    private static async Task<ProbeResult> AskAsync(Func<Task<ProbeResult>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception e) when (e is WorkerException or UserError)
        {
            return ProbeResult.Fail(e.Message);
        }
    }

    private ProbeResult Judge(IReadOnlyList<WorkloadStatus> found, ProbeResult units)
    {
        var (failing, unfinished, working) = (new List<string>(), new List<string>(), new List<string>(units.Working));
        var (faults, waits) = (new List<string>(), new List<string>());
        foreach (var workload in found)
        {
            if (WhyNotTheImages(workload) is { } reason) Note(failing, faults, NameOf(workload.Id), $"{workload.Id}: {reason}");
            else if (workload is { State.Trial: not null, Included: null }) continue; // judged by its own transaction, which takes it back
            else if (workload.Trouble is { } fault) Note(failing, faults, $"{workload.Id}, which cannot be read", $"{workload.Id}: {fault}");
            else
            {
                foreach (var item in workload.Objects ?? []) Sort(workload, item);
            }
        }
        var result = faults.Count > 0 ? ProbeResult.Fail(Words(faults)) : waits.Count > 0 ? ProbeResult.Wait(Words(waits))
            : ProbeResult.Pass(found.Count == 0 ? units.Message : $"{units.Message}; {working.Count - units.Working.Count} objects of {found.Count} {(found.Count == 1 ? "workload" : "workloads")} ready");
        return result with { Failing = failing, Working = working, Resting = units.Resting, Unfinished = unfinished };

        void Sort(WorkloadStatus workload, WorkloadObject item)
        {
            var name = $"{workload.Id}: {item.Object}";
            if (item.State == "ready") working.Add(name);
            else if (item.State == "failed") Note(failing, faults, name, $"{name}: {item.Message}");
            else Note(unfinished, waits, name, $"{name}: {item.Message}");
        }
    }

    private static void Note(List<string> names, List<string> words, string name, string message)
    {
        names.Add(name);
        words.Add(message);
    }

    /// <summary>Why a workload is not what the image brings, or null.</summary>
    private static string? WhyNotTheImages(WorkloadStatus workload) => workload switch
    {
        { Included: null } or { IsTheImages: true } => null,
        { State.Trial: { } trial } => $"version {trial.Version} is being applied",
        _ => workload.State.WhyNotKept(workload.Included) is { } reason ? $"version {workload.Included} was not kept: {reason}" : $"version {workload.Included} is not applied",
    };

    private static string Words(List<string> all) => string.Join("; ", all.Take(MostNamed)) + (all.Count > MostNamed ? $"; and {all.Count - MostNamed} more" : "");
}
