using Appliance.Core;
using Appliance.Supervisor.Processes;

namespace Appliance.Supervisor.Credentials;

/// <summary>Runs the programs of a rotation. What they print is not logged: it may be the secret.</summary>
internal static class CredentialCommand
{
    private const string Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    /// <summary>For tests: told of every program that did its work, and of its arguments.</summary>
    internal static event Action<string, IReadOnlyList<string>>? Succeeded;

    /// <summary>Runs a program to its end, which comes with its group when its time is over.</summary>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">What it finds in its environment, beside the path.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The last lines that it printed.</returns>
    /// <exception cref="UserError">It failed.</exception>
    public static Task<IReadOnlyList<string>> RunAsync(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment, CancellationToken cancellationToken) =>
        RunAsync(new ProcessCommand(program, arguments) { Environment = environment }, isSecret: true, cancellationToken);

    /// <summary>Runs a program to its end, which comes with its group when its time is over.</summary>
    /// <param name="command">The program; its environment is what it finds beside the path.</param>
    /// <param name="isSecret">Whether what it prints may be the secret; else its last line is part of the reason why it failed.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The last lines that it printed.</returns>
    /// <exception cref="UserError">It failed.</exception>
    public static async Task<IReadOnlyList<string>> RunAsync(ProcessCommand command, bool isSecret, CancellationToken cancellationToken)
    {
        var environment = new Dictionary<string, string>(command.Environment ?? new Dictionary<string, string>()) { ["PATH"] = Path, ["LANG"] = "C.UTF-8" };
        var outcome = await ProcessRunner.RunAsync(command with { Environment = environment }, cancellationToken);
        if (!outcome.Succeeded)
        {
            var how = outcome.TimedOut ? $"did not end within {command.Limit.TotalMinutes:0.##} min" : $"failed with exit code {outcome.ExitCode}";
            throw isSecret ? new UserError($"{command.Program} {how}.", "Run it by hand: what it prints is not kept, since it may be a secret.")
                : new UserError($"{command.Program} {how}{(outcome.Tail is [.., var last] ? $": {last.TrimEnd('.')}" : "")}.");
        }
        Succeeded?.Invoke(command.Program, command.Arguments);
        return outcome.Tail;
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
