using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Processes;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>Puts images into containerd's store, where the kubelet finds them.</summary>
/// <param name="command">The client and the arguments that come before all others; k3s brings one.</param>
internal sealed class ContainerdImages(params IReadOnlyList<string> command)
{
    private const string Space = "k8s.io";

    /// <summary>The kubelet's image collector leaves what has this label (containerd 1.7 and later).</summary>
    private const string PinLabel = "io.cri-containerd.pinned=pinned";

    private static readonly TimeSpan ImportLimit = TimeSpan.FromMinutes(30);

    /// <summary>k3s' own client.</summary>
    public static ContainerdImages OfK3s() => new("k3s", "ctr");

    /// <summary>Imports the images of a release, when one is not there yet.</summary>
    /// <exception cref="UserError">There is no room, or containerd refuses.</exception>
    /// <exception cref="EngineUnavailableException">It does not answer.</exception>
    public async Task ImportAsync(WorkloadRelease release, string payload, CancellationToken cancellationToken)
    {
        if (release.Images.Count == 0) return;
        var there = await RunAsync(cancellationToken, "images", "list", "--quiet");
        if (!there.Succeeded) throw new EngineUnavailableException($"containerd: {Words(there)}");
        var outcome = release.Images.All(image => there.Tail.Contains(image.Pinned)) ? there : await RunAsync(cancellationToken, "images", "import", payload);
        if (!outcome.Succeeded) throw new UserError($"The images of {release.Id} {release.Version} cannot be put into containerd's store: {Words(outcome)}", "Free space on the data partition (appliancectl status shows it), and apply the release again.");
        // Also where they were there: a cut may have come before this.
        foreach (var image in release.Images) await RunAsync(cancellationToken, "images", "label", image.Pinned, PinLabel);
    }

    /// <summary>Deletes images. Containers that run keep what they need.</summary>
    public async Task ForgetAsync(IReadOnlyCollection<string> names, CancellationToken cancellationToken)
    {
        if (names.Count > 0) await RunAsync(cancellationToken, ["images", "remove", .. names]);
    }

    private Task<ProcessOutcome> RunAsync(CancellationToken cancellationToken, params IReadOnlyList<string> arguments) =>
        ProcessRunner.RunAsync(new ProcessCommand(command[0], [.. command.Skip(1), "--namespace", Space, .. arguments]) { Limit = ImportLimit, TailLines = 10_000 }, cancellationToken);

    private static string Words(ProcessOutcome outcome) => outcome.Tail.Count == 0 ? $"exit code {outcome.ExitCode}" : string.Join("; ", outcome.Tail.TakeLast(3));
}
