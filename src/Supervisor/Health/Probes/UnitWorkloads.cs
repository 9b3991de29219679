using Appliance.Supervisor.Systemd;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>
/// The workload engine as systemd sees it: its own service, and the services that Quadlet (podman-systemd.unit(5)) has made
/// of container files.
/// </summary>
/// <param name="root">Root of the files that are read.</param>
/// <param name="engine">The image's engine: <c>k3s</c>, <c>podman</c> or <c>none</c>.</param>
/// <param name="systemd">The manager that is asked.</param>
internal sealed class UnitWorkloads(string root, string engine, Systemd1 systemd) : IWorkloadHealth
{
    /// <summary>The service of a node with a control plane.</summary>
    public const string Server = "k3s.service";

    private static readonly string[] K3sUnits = [Server, "k3s-agent.service"];

    private string Generated => Path.Combine(root, "run/systemd/generator");

    /// <inheritdoc/>
    public bool Follows(string unit) => K3sUnits.Contains(unit) || File.Exists(Path.Combine(Generated, unit));

    /// <inheritdoc/>
    public async Task<ProbeResult> TryNodeAsync(CancellationToken cancellationToken) => engine switch
    {
        "k3s" => Judge(await EngineUnitsAsync(), [], "the node's service runs"),
        "podman" => ProbeResult.Pass("podman has no service that must be ready"),
        _ => ProbeResult.Fail("this image has no workload engine"),
    };

    /// <inheritdoc/>
    public async Task<ProbeResult> TryWorkloadsAsync(CancellationToken cancellationToken)
    {
        if (engine is not ("k3s" or "podman")) return ProbeResult.Fail("this image has no workload engine");
        var containers = ContainerUnits().ToList();
        var own = engine == "k3s" ? await EngineUnitsAsync() : [];
        var states = containers.Count == 0 ? [] : await systemd.UnitsAsync(containers.Select(container => container.Name).ToList());
        var once = containers.Where(container => container.RunsOnce).Select(container => container.Name).ToHashSet();
        var resting = states.Where(unit => unit.ActiveState == "inactive" && !once.Contains(unit.Name)).Select(unit => unit.Name).ToHashSet();
        var running = states.Count(unit => unit.ActiveState == "active");
        return Judge([.. own, .. states.Where(unit => unit.ActiveState != "inactive")], [.. resting], containers.Count == 0 ? $"{engine} has no container units" : $"{running} of {containers.Count} container units active, none failed");
    }

    private static ProbeResult Judge(IReadOnlyList<ManagedUnit> units, IReadOnlyList<string> resting, string fine)
    {
        var working = units.Where(unit => unit.ActiveState == "active").Select(unit => unit.Name).ToList();
        var starting = units.Where(unit => unit.IsStarting).Select(unit => unit.Name).ToList();
        var failing = units.Select(unit => unit.Name).Except(working).Except(starting).ToList();
        var result = failing.Count > 0 ? ProbeResult.Fail($"failed: {string.Join(", ", failing)}")
            : starting.Count > 0 ? ProbeResult.Wait($"still starting: {string.Join(", ", starting)}")
            : ProbeResult.Pass(fine);
        return result with { Failing = failing, Working = working, Resting = resting, Unfinished = starting };
    }

    /// <summary>The engine's service, with a control plane or without: the image has both, and one is to run.</summary>
    private async Task<IReadOnlyList<ManagedUnit>> EngineUnitsAsync()
    {
        var units = await systemd.UnitsAsync(K3sUnits);
        var present = units.Where(unit => unit.LoadState is not ("not-found" or "masked")).ToList();
        return [present.Find(unit => unit.ActiveState != "inactive") ?? present.FirstOrDefault() ?? units[0]];
    }

    /// <summary>Quadlet's services carry the container file they were made of; a template is none by itself.</summary>
    private IEnumerable<(string Name, bool RunsOnce)> ContainerUnits()
    {
        foreach (var path in Directory.Exists(Generated) ? Directory.EnumerateFiles(Generated, "*.service").Order(StringComparer.Ordinal) : Enumerable.Empty<string>())
        {
            var name = Path.GetFileName(path);
            if (name.EndsWith("@.service", StringComparison.Ordinal)) continue;
            var lines = File.ReadAllLines(path);
            if (!lines.Any(line => line.StartsWith("SourcePath=", StringComparison.Ordinal) && line.Contains("/containers/systemd/", StringComparison.Ordinal))) continue;
            yield return (name, lines.Contains("Type=oneshot") || lines.Contains("RemainAfterExit=yes"));
        }
    }
}
