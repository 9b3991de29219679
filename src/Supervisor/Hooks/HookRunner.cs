using Appliance.Core;
using Appliance.Supervisor.Processes;
using Serilog;

namespace Appliance.Supervisor.Hooks;

/// <summary>
/// Runs the executables that an image and its operator put around an update (docs/hooks.md). The caller is root, and so are they.
/// </summary>
/// <param name="folders">Folders that hold a folder for each point, e.g. <see cref="DefaultFolders"/>; later ones win.</param>
/// <param name="limit">Longest time of one hook.</param>
/// <param name="grace">Time a hook has to end when asked to, 5 s when null.</param>
internal sealed class HookRunner(IReadOnlyList<string> folders, TimeSpan limit, TimeSpan? grace = null)
{
    /// <summary>The image's folder, then the device's own.</summary>
    public static readonly IReadOnlyList<string> DefaultFolders = ["/usr/lib/appliance/hooks", "/etc/appliance/hooks"];

    /// <summary>Time a hook has unless something else is wanted.</summary>
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromMinutes(5);

    /// <summary>A hook that prints without end does not drown the log.</summary>
    private const int LoggedLines = 500;

    private const int LinesInErrors = 5;

    /// <summary>
    /// Runs the hooks of a point one after another. After a <c>pre-</c> hook that fails nothing else runs; of the other points all
    /// run, and what failed is returned as sentences.
    /// </summary>
    /// <exception cref="UserError">A hook of a <c>pre-</c> point failed: what was to come must not happen.</exception>
    public async Task<IReadOnlyList<string>> RunAsync(HookPoint point, HookContext context, CancellationToken cancellationToken)
    {
        var warnings = new List<string>();
        foreach (var hook in HookFolders.Find(folders, point))
        {
            try
            {
                HookFolders.Check(hook);
                await RunAsync(hook, point, context, cancellationToken);
            }
            catch (UserError e) when (point is not (HookPoint.PreInstall or HookPoint.PreReboot))
            {
                Log.Warning("A hook failed: {Reason}", e.Message);
                warnings.Add(e.Message);
            }
        }
        return warnings;
    }

    private async Task RunAsync(string hook, HookPoint point, HookContext context, CancellationToken cancellationToken)
    {
        Log.Information("Running the hook {Hook}", hook);
        var logged = 0;
        var command = new ProcessCommand(hook)
        {
            Environment = Environment(point, context),
            Limit = limit,
            Grace = grace ?? TimeSpan.FromSeconds(5),
            TailLines = LinesInErrors,
            OnLine = line =>
            {
                if (logged++ < LoggedLines) Log.Information("{Hook}: {Line}", hook, line);
            },
        };
        var outcome = await ProcessRunner.RunAsync(command, cancellationToken);
        if (logged > LoggedLines) Log.Information("{Hook} printed {Lines} lines more", hook, logged - LoggedLines);
        if (outcome.Succeeded) return;
        var how = outcome.TimedOut ? $"did not end within {limit.TotalSeconds:0.#} s and was ended" : $"failed with exit code {outcome.ExitCode}";
        var said = outcome.Tail.Count == 0 ? "it printed nothing" : string.Join(" | ", outcome.Tail);
        throw new UserError($"The hook {hook} {how}: {said}", "Mend the hook, or leave it out: a link of its name to /dev/null in /etc/appliance/hooks does.");
    }

    /// <summary>All that a hook finds in its environment.</summary>
    private static Dictionary<string, string> Environment(HookPoint point, HookContext context) => new()
    {
        ["APPLIANCE_POINT"] = HookFolders.Name(point)[..^".d".Length],
        ["APPLIANCE_VERSION"] = context.Version,
        ["APPLIANCE_FROM_VERSION"] = context.FromVersion,
        ["APPLIANCE_SLOT"] = context.Slot,
        ["APPLIANCE_REASON"] = context.Reason,
        ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ["LANG"] = "C.UTF-8",
    };
}
