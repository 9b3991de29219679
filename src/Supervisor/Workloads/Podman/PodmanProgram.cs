using System.Text.RegularExpressions;
using Appliance.Core;
using Appliance.Supervisor.Processes;

namespace Appliance.Supervisor.Workloads.Podman;

/// <summary>Runs podman; it only translates.</summary>
internal sealed class PodmanProgram(PodmanOptions options)
{
    private const int LinesKept = 5, MostListed = 10_000;
    private static readonly TimeSpan ImportLimit = TimeSpan.FromMinutes(30);

    /// <summary>The containers of a workload.</summary>
    /// <exception cref="EngineUnavailableException">Podman does not answer.</exception>
    public async Task<IReadOnlyList<PodmanContainer>> ListAsync(string workload, CancellationToken cancellationToken)
    {
        using var output = new MemoryStream();
        try
        {
            await ProcessRunner.CopyAsync(Command("ps", "--all", "--no-trunc", "--format", "json", "--filter", Of(workload)), output, cancellationToken);
            return PodmanContainer.Parse(output.ToArray());
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EngineUnavailableException("podman takes too long to list its containers", e);
        }
        catch (InvalidDataException e)
        {
            throw new EngineUnavailableException(System.Text.Encoding.UTF8.GetString(output.ToArray()) is { Length: > 0 } said ? $"podman: {said.Trim()}" : e.Message, e);
        }
    }

    /// <summary>Whether an image of this name is there.</summary>
    public async Task<bool> HasImageAsync(string name, CancellationToken cancellationToken)
    {
        var outcome = await ProcessRunner.RunAsync(Command("image", "exists", name), cancellationToken);
        return outcome.ExitCode is 0 or 1 ? outcome.ExitCode == 0 : throw Unavailable(outcome);
    }

    /// <summary>Whether a pod of this name is there that is not of this workload.</summary>
    public async Task<bool> IsSomebodyElsesPodAsync(string name, string workload, CancellationToken cancellationToken)
    {
        return (await FindPodsAsync(name, null, cancellationToken)).Count > 0 && (await FindPodsAsync(name, workload, cancellationToken)).Count == 0;
    }

    /// <summary>Copies an image out of an OCI image layout into podman's store.</summary>
    /// <exception cref="UserError">It cannot be.</exception>
    public async Task ImportAsync(string layout, string name, CancellationToken cancellationToken)
    {
        var outcome = await ProcessRunner.RunAsync(Command("pull", "--quiet", $"oci:{layout}:{name}") with { Limit = ImportLimit }, cancellationToken);
        if (!outcome.Succeeded) throw new UserError($"The image {name} cannot be put into podman's store: {Words(outcome)}", "Free space on the data partition (appliancectl status shows it), and apply the release again.");
    }

    /// <summary>Deletes images, as far as nothing uses them.</summary>
    public async Task ForgetImagesAsync(IEnumerable<string> names, CancellationToken cancellationToken)
    {
        foreach (var name in names) await ProcessRunner.RunAsync(Command("rmi", "--ignore", name), cancellationToken);
    }

    /// <summary>Names of volumes, all of them or those with our label of a workload.</summary>
    public async Task<IReadOnlyList<string>> ListVolumesAsync(string? workload, CancellationToken cancellationToken)
    {
        return await ListNamesAsync(["volume", "ls", "--quiet", .. Filter(workload)], cancellationToken);
    }

    /// <summary>Deletes a volume that nothing uses; false when it stays.</summary>
    public async Task<bool> ForgetVolumeAsync(string name, CancellationToken cancellationToken) =>
        (await ProcessRunner.RunAsync(Command("volume", "rm", name), cancellationToken)).Succeeded;

    /// <summary>Deletes a pod of a workload, if it is there, whatever its containers do.</summary>
    public async Task ForgetPodAsync(string name, string workload, CancellationToken cancellationToken)
    {
        foreach (var id in await FindPodsAsync(name, workload, cancellationToken)) await ProcessRunner.RunAsync(Command("pod", "rm", "--force", id), cancellationToken);
    }

    /// <summary>The last lines that a container printed.</summary>
    public async Task<IReadOnlyList<string>> ReadLogAsync(string container, int lines, CancellationToken cancellationToken)
    {
        var outcome = await ProcessRunner.RunAsync(Command("logs", "--timestamps", "--tail", lines.ToString(System.Globalization.CultureInfo.InvariantCulture), container) with { TailLines = lines }, cancellationToken);
        return outcome.Tail;
    }

    /// <summary>Ids of the pods of a name, of one workload or of anybody.</summary>
    private Task<IReadOnlyList<string>> FindPodsAsync(string name, string? workload, CancellationToken cancellationToken) =>
        ListNamesAsync(["pod", "ps", "--quiet", "--no-trunc", "--filter", $"name=^{Regex.Escape(name)}$", .. Filter(workload)], cancellationToken);

    private async Task<IReadOnlyList<string>> ListNamesAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var outcome = await ProcessRunner.RunAsync(Command(arguments) with { TailLines = MostListed }, cancellationToken);
        return outcome.Succeeded ? outcome.Tail : throw Unavailable(outcome);
    }

    private static IReadOnlyList<string> Filter(string? workload) => workload is null ? [] : ["--filter", Of(workload)];

    private static string Of(string workload) => $"label={PodmanUnits.WorkloadLabel}={workload}";

    private ProcessCommand Command(params IReadOnlyList<string> arguments) => new(options.Command[0], [.. options.Command.Skip(1), .. arguments]);

    private static EngineUnavailableException Unavailable(ProcessOutcome outcome) => new($"podman: {Words(outcome)}");

    private static string Words(ProcessOutcome outcome) =>
        outcome.TimedOut ? "it takes too long" : outcome.Tail.Count == 0 ? $"exit code {outcome.ExitCode}" : string.Join("; ", outcome.Tail.TakeLast(LinesKept));
}
