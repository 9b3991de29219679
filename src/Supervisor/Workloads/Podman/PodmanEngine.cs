using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Processes;
using Appliance.Supervisor.Systemd;
using Appliance.Supervisor.Workloads.Kubernetes;

namespace Appliance.Supervisor.Workloads.Podman;

/// <summary>
/// Releases on podman: every object with a pod is a unit of systemd (Quadlet, podman-systemd.unit(5)), which starts it at boot
/// without us and without a network. A pod that a new release does not change goes on running.
/// </summary>
/// <param name="options">Where podman and its units are.</param>
/// <param name="systemd">Starts the units.</param>
/// <param name="time">The clock.</param>
internal sealed class PodmanEngine(PodmanOptions options, Systemd1 systemd, TimeProvider time) : IWorkloadEngine
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromMinutes(2), Pause = TimeSpan.FromMilliseconds(500);
    private readonly PodmanProgram _podman = new(options);

    /// <inheritdoc/>
    public async Task CheckAsync(WorkloadRelease release, CancellationToken cancellationToken)
    {
        var taken = new List<string>();
        foreach (var unit in PodmanUnits.Of(release))
            if (await _podman.IsSomebodyElsesPodAsync(unit.Pod, release.Id, cancellationToken)) taken.Add($"{unit.Object}: there is a pod {unit.Pod} already that is not this workload's");
        var (all, own) = (await _podman.ListVolumesAsync(null, cancellationToken), await _podman.ListVolumesAsync(release.Id, cancellationToken));
        foreach (var claim in Claims(release).Where(claim => all.Contains(claim.Name) && !own.Contains(claim.Name))) taken.Add($"{claim}: there is a volume of this name already that is not this workload's");
        if (taken.Count > 0) throw new UserError($"Podman cannot run {release.Id} {release.Version}; nothing was changed.{string.Concat(taken.Select(fault => $"\n  {fault}"))}", "Give the object another name, or remove what has it.");
    }

    /// <inheritdoc/>
    public Task ImportAsync(WorkloadRelease release, string payload, CancellationToken cancellationToken) => new PodmanImages(_podman).ImportAsync(release, payload, cancellationToken);

    /// <inheritdoc/>
    public Task ForgetImagesAsync(IReadOnlyCollection<string> images, CancellationToken cancellationToken) => _podman.ForgetImagesAsync(images, cancellationToken);

    /// <inheritdoc/>
    public Task ApplyAsync(WorkloadRelease release, bool force, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        var units = PodmanUnits.Of(release);
        if (Write(release, units)) await systemd.ReloadAsync();
        foreach (var (unit, service, containers) in await LookAsync(release, units, cancellationToken))
        {
            if (service.LoadState is not ("loaded" or "masked")) throw new UserError($"{unit.Object}: systemd has no unit of it ({service.LoadState}).", $"The journal says why: journalctl -t quadlet-generator; systemctl status {unit.Service}");
            // What an earlier program wrote and did not start tells itself by what runs.
            var runs = containers.Any(container => container.Labels.GetValueOrDefault(PodmanUnits.ContentLabel) == unit.Content) && service.ActiveState is "active" or "activating";
            if (!runs && !IsDone(unit)) await systemd.RestartAsync(unit.Service);
        }
        return true;
    });

    /// <inheritdoc/>
    public Task<IReadOnlyList<ObjectStatus>> ReadStatusAsync(WorkloadRelease release, CancellationToken cancellationToken) => AskAsync<IReadOnlyList<ObjectStatus>>(async () =>
    {
        var found = PodmanUnits.Wanted(release).Where(PodmanUnits.IsGiven).Select(manifest => new ObjectStatus(ObjectIdentity.Of(manifest), Readiness.Ready("given to the pods that name it"))).ToList();
        foreach (var (unit, service, containers) in await LookAsync(release, PodmanUnits.Of(release), cancellationToken))
            found.Add(new ObjectStatus(unit.Object, await ReadAsync(unit, service, containers, cancellationToken)));
        return found;
    });

    /// <inheritdoc/>
    public Task<PrunedObjects> PruneAsync(WorkloadRelease gone, WorkloadRelease? kept, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        var keeping = kept is null ? [] : PodmanUnits.Of(kept);
        var staying = keeping.Select(unit => unit.Name).ToHashSet();
        var leaving = PodmanUnits.Of(gone).Where(unit => !staying.Contains(unit.Name)).ToList();
        foreach (var unit in leaving)
        {
            await StopAsync(unit, cancellationToken);
            // A unit that does not run any more, after a power cut, does not clear up.
            await _podman.ForgetPodAsync(unit.Pod, gone.Id, cancellationToken);
        }
        foreach (var unit in leaving)
        {
            DurableFile.Delete(PathOf(unit.Name + ".kube"));
            DurableFile.Delete(PathOf(unit.Name + ".yaml"));
            ForgetDone(unit, but: null);
        }
        if (leaving.Count > 0) await systemd.ReloadAsync();
        var (deleted, left) = (leaving.ConvertAll(unit => unit.Object), new List<(ObjectIdentity, string)>());
        var own = await _podman.ListVolumesAsync(gone.Id, cancellationToken);
        var wanted = kept?.Objects.Select(ObjectIdentity.Of).Select(identity => (identity.Kind, identity.Name)).ToHashSet() ?? [];
        foreach (var manifest in PodmanUnits.Wanted(gone).Where(manifest => ObjectIdentity.Of(manifest) is { Kind: "PersistentVolumeClaim" } claim && !wanted.Contains((claim.Kind, claim.Name))))
        {
            var claim = ObjectIdentity.Of(manifest);
            if (new LiveObject(manifest).Text("metadata", "annotations", KubernetesEngine.PruneAnnotation) != "true") left.Add((claim, $"it holds data; the annotation {KubernetesEngine.PruneAnnotation}=true lets it go"));
            else if (!own.Contains(claim.Name) || await _podman.ForgetVolumeAsync(claim.Name, cancellationToken)) deleted.Add(claim);
            else left.Add((claim, "something uses it"));
        }
        await ForgetGivenAsync(gone.Id, keeping, cancellationToken);
        return new PrunedObjects(deleted, left);
    });

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ReadLogAsync(WorkloadRelease release, string? container, int lines, CancellationToken cancellationToken)
    {
        var all = await _podman.ListAsync(release.Id, cancellationToken);
        var chosen = container is null ? all : [.. all.Where(found => found.Name == container || found.Name.EndsWith("-" + container, StringComparison.Ordinal))];
        if (chosen.Count == 0) throw new UserError(container is null ? $"The workload {release.Id} has no containers." : $"The workload {release.Id} has no container {container}.", $"It has: {(all.Count == 0 ? "none" : string.Join(", ", all.Select(found => found.Name)))}");
        var log = new List<string>();
        foreach (var found in chosen) log.AddRange((await _podman.ReadLogAsync(found.Id, lines, cancellationToken)).Select(line => chosen.Count == 1 ? line : $"{found.Name}: {line}"));
        return log;
    }

    /// <summary>Podman keeps what it gave to pods, secrets among it, in volumes. Those of no present pod go; a pod that needs one makes it anew.</summary>
    private async Task ForgetGivenAsync(string workload, IReadOnlyList<PodmanUnit> keeping, CancellationToken cancellationToken)
    {
        var staying = keeping.SelectMany(unit => unit.Given).ToHashSet();
        foreach (var name in await _podman.ListVolumesAsync(null, cancellationToken))
            if (name.StartsWith(PodmanUnits.GivenPrefix(workload), StringComparison.Ordinal) && !staying.Contains(name)) await _podman.ForgetVolumeAsync(name, cancellationToken);
    }

    /// <summary>The units of a release with what systemd and podman have of them.</summary>
    private async Task<IEnumerable<(PodmanUnit Unit, ManagedUnit Service, IReadOnlyList<PodmanContainer> Containers)>> LookAsync(WorkloadRelease release, IReadOnlyList<PodmanUnit> units, CancellationToken cancellationToken)
    {
        var containers = (await _podman.ListAsync(release.Id, cancellationToken)).ToLookup(container => container.Labels.GetValueOrDefault(PodmanUnits.UnitLabel));
        var services = units.Count == 0 ? [] : await systemd.UnitsAsync([.. units.Select(unit => unit.Service)]);
        return units.Zip(services, (unit, service) => (unit, service, (IReadOnlyList<PodmanContainer>)[.. containers[unit.Name]]));
    }

    private static IEnumerable<ObjectIdentity> Claims(WorkloadRelease release) => PodmanUnits.Wanted(release).Select(ObjectIdentity.Of).Where(identity => identity is { Group: "", Kind: "PersistentVolumeClaim" });

    private async Task<Readiness> ReadAsync(PodmanUnit unit, ManagedUnit service, IReadOnlyList<PodmanContainer> containers, CancellationToken cancellationToken)
    {
        if (IsDone(unit)) return Readiness.Ready("completed");
        var readiness = PodmanReadiness.Of(unit, service, containers, time.GetUtcNow());
        // Podman forgets it with the pod, at the next shutdown, and then it would all be done again.
        if (readiness.State == ReadinessState.Ready && PodmanReadiness.HaveEnded(unit, containers)) DurableFile.Write(PathOf(unit.DoneName), []);
        if (readiness.State != ReadinessState.Failed || containers.Count > 0) return readiness;
        // Of a pod that has ended podman keeps nothing but what its containers printed, in the journal.
        IReadOnlyList<string> which = unit.Ends ? [.. unit.Containers.Select(name => $"CONTAINER_NAME={unit.Pod}-{name}")] : ["--unit", unit.Service];
        var said = await ProcessRunner.RunAsync(new ProcessCommand("journalctl", [.. which, "--boot", "--lines", "20", "--output", "cat", "--no-pager"]), cancellationToken);
        return said.Tail.LastOrDefault(line => unit.Ends || line.StartsWith("Error", StringComparison.Ordinal)) is { } reason ? readiness with { Message = $"{readiness.Message}: {reason}" } : readiness;
    }

    private string PathOf(string name) => Path.Combine(options.UnitFolder, name);

    private bool IsDone(PodmanUnit unit) => unit.Ends && File.Exists(PathOf(unit.DoneName));

    private void ForgetDone(PodmanUnit unit, string? but)
    {
        foreach (var path in Directory.EnumerateFiles(options.UnitFolder, PodmanUnits.DoneName(unit.Name, "*")).Where(path => Path.GetFileName(path) != but)) DurableFile.Delete(path);
    }

    /// <summary>Writes what is not there yet. The unit comes after what it names, and both are whole after a power cut. True when something was written.</summary>
    private bool Write(WorkloadRelease release, IReadOnlyList<PodmanUnit> units)
    {
        try
        {
            Directory.CreateDirectory(options.UnitFolder);
            var written = false;
            foreach (var unit in units)
            {
                written |= Write(PathOf(unit.Name + ".yaml"), unit.Yaml) | Write(PathOf(unit.Name + ".kube"), unit.Kube);
                ForgetDone(unit, but: unit.DoneName);
            }
            return written;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"The units of {release.Id} {release.Version} cannot be written: {e.Message}", "Free space on the data partition, or check that it is mounted and writable.", e);
        }
    }

    private static bool Write(string path, string content)
    {
        if (File.Exists(path) && File.ReadAllText(path) == content) return false;
        DurableFile.Write(path, System.Text.Encoding.UTF8.GetBytes(content), UnixFileMode.UserRead | UnixFileMode.UserWrite); // there may be secrets in it
        return true;
    }

    private async Task StopAsync(PodmanUnit unit, CancellationToken cancellationToken)
    {
        if ((await systemd.UnitsAsync([unit.Service]))[0].LoadState == "not-found") return;
        await systemd.StopAsync(unit.Service);
        var start = time.GetTimestamp();
        while (await systemd.ActiveStateAsync(unit.Service) is not ("inactive" or "failed") && time.GetElapsedTime(start) < StopLimit) await Task.Delay(Pause, time, cancellationToken);
    }

    /// <summary>A bus that does not answer says nothing about the release.</summary>
    private static async Task<T> AskAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (BusException e)
        {
            throw new EngineUnavailableException($"systemd does not do what it is asked for: {e.Message}", e);
        }
    }
}
