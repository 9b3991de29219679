using Appliance.Core;
using Appliance.Supervisor.Processes;

namespace Appliance.Supervisor.Credentials;

/// <summary>Runs the programs of a rotation. What they print is not logged: it may be the secret.</summary>
internal static class CredentialCommand
{
    private const string Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5), Pause = TimeSpan.FromSeconds(2);

    /// <summary>Runs a program to its end.</summary>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">What it finds in its environment, beside the path.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The last lines that it printed.</returns>
    /// <exception cref="UserError">It failed.</exception>
    public static async Task<IReadOnlyList<string>> RunAsync(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment, CancellationToken cancellationToken)
    {
        var all = new Dictionary<string, string>(environment ?? new Dictionary<string, string>()) { ["PATH"] = Path, ["LANG"] = "C.UTF-8" };
        var outcome = await ProcessRunner.RunAsync(new ProcessCommand(program, arguments) { Environment = all, Limit = Limit }, cancellationToken);
        return outcome.Succeeded ? outcome.Tail : throw new UserError($"{program} {(outcome.TimedOut ? $"did not end within {Limit.TotalMinutes:0} min" : $"failed with exit code {outcome.ExitCode}")}.", "Run it by hand: what it prints is not kept, since it may be a secret.");
    }

    /// <summary>Runs a program again and again until it succeeds.</summary>
    /// <exception cref="UserError">It does not, within the limit.</exception>
    public static async Task RetryAsync(Func<Task> run, TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            try
            {
                await run();
                return;
            }
            catch (UserError) when (time.GetElapsedTime(start) < limit)
            {
                await Task.Delay(Pause, time, cancellationToken);
            }
        }
    }
}
