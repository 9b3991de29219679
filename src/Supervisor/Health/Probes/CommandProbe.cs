using Appliance.Core.Health;
using Appliance.Supervisor.Processes;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>A program exits with 0. Its last line is what people see; nothing it started outlives the attempt.</summary>
internal sealed class CommandProbe(HealthCheck check) : DeclaredProbe(check)
{
    private const int LongestMessage = 300;
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private readonly ProcessCommand _command = new(check.Command![0], check.Command.Skip(1).ToList()) { Limit = check.Timeout + Grace, Grace = Grace, TailLines = 1 };

    public override async Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(_command.Program)) return ProbeResult.Fail($"{_command.Program} does not exist");
        var outcome = await ProcessRunner.RunAsync(_command, cancellationToken);
        var words = outcome.Tail.Count == 0 ? "" : outcome.Tail[0][..Math.Min(outcome.Tail[0].Length, LongestMessage)];
        return outcome.Succeeded ? ProbeResult.Pass(words.Length > 0 ? words : "exit code 0") : ProbeResult.Fail($"exit code {outcome.ExitCode} {words}".TrimEnd());
    }
}
