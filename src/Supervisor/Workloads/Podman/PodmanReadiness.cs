using Appliance.Supervisor.Systemd;
using Appliance.Supervisor.Workloads.Kubernetes;

namespace Appliance.Supervisor.Workloads.Podman;

/// <summary>Tells from a unit and its containers how far a pod is.</summary>
internal static class PodmanReadiness
{
    /// <summary>A container that was started again must run this long; podman starts what crashes again at once.</summary>
    public static readonly TimeSpan Settled = TimeSpan.FromSeconds(20);

    /// <summary>Judges a pod.</summary>
    /// <param name="unit">What was asked for.</param>
    /// <param name="service">Its service as systemd knows it.</param>
    /// <param name="containers">Its containers.</param>
    /// <param name="now">The time.</param>
    public static Readiness Of(PodmanUnit unit, ManagedUnit service, IReadOnlyList<PodmanContainer> containers, DateTimeOffset now)
    {
        if (service.LoadState == "not-found") return Readiness.Failed("it is not there");
        if (service.ActiveState == "failed" || service.SubState == "auto-restart") return Readiness.Failed(unit.Ends ? "it has failed" : "it cannot be started");
        if (service.ActiveState is not ("active" or "inactive")) return Readiness.Waiting($"its unit is {service.ActiveState}");
        var own = containers.Where(container => container.Labels.GetValueOrDefault(PodmanUnits.ContentLabel) == unit.Content).ToList();
        if (own.Count == 0 && containers.Count > 0) return Readiness.Waiting("the old one still runs");
        var states = unit.Containers.Select(name => (Name: name, Readiness: Of(unit, own.Find(container => container.Name == $"{unit.Pod}-{name}"), now))).ToList();
        var worst = states.MaxBy(state => state.Readiness.State switch { ReadinessState.Failed => 2, ReadinessState.InProgress => 1, _ => 0 });
        if (worst.Readiness.State != ReadinessState.Ready) return worst.Readiness with { Message = $"{worst.Name}: {worst.Readiness.Message}" };
        if (!unit.Ends && service.ActiveState == "inactive") return Readiness.Failed("its unit was stopped");
        return Readiness.Ready(HaveEnded(unit, containers) ? "completed" : $"{states.Count} of {states.Count} containers run");
    }

    /// <summary>Whether a pod has come to its end, well.</summary>
    public static bool HaveEnded(PodmanUnit unit, IReadOnlyList<PodmanContainer> containers) =>
        unit.Ends && containers.Count > 0 && containers.All(container => container is { State: "exited", ExitCode: 0 } && container.Labels.GetValueOrDefault(PodmanUnits.ContentLabel) == unit.Content);

    private static Readiness Of(PodmanUnit unit, PodmanContainer? container, DateTimeOffset now)
    {
        if (container is null) return Readiness.Waiting("it is not there yet");
        if (container.Restarts > 0 && now - container.StartedAt < Settled)
        {
            var why = $"it was started again {container.Restarts} times{(container.State == "running" ? "" : $"; it ends with exit code {container.ExitCode}")}";
            return container.Restarts >= ObjectReadiness.MostRestarts ? Readiness.Failed(why) : Readiness.Waiting(why);
        }
        switch (container.State)
        {
            case "running" when container.Status.EndsWith("(unhealthy)", StringComparison.Ordinal):
                return Readiness.Failed("its health check fails");
            case "running" when container.Status.EndsWith("(starting)", StringComparison.Ordinal):
                return Readiness.Waiting("its health check has not passed yet");
            case "running":
                return unit.Object.Kind == "Job" ? Readiness.Waiting("the job runs") : Readiness.Ready("it runs");
            case "exited" or "stopped" when unit.Ends && container.ExitCode == 0:
                return Readiness.Ready("completed");
            case "exited" or "stopped":
                var ended = $"it ended with exit code {container.ExitCode}";
                return unit.Restarts ? Readiness.Waiting(ended) : Readiness.Failed(ended);
            default:
                return Readiness.Waiting($"it is {container.State}");
        }
    }
}
