using System.Text;
using Appliance.Core;
using Appliance.Supervisor.Processes;

namespace Appliance.Supervisor.Secrets;

/// <summary>
/// Seals with <c>systemd-creds</c>, which needs root: by a key in the machine's TPM2 and the host's own where there is a TPM2 that
/// systemd can use, else by the host's alone (<c>/var/lib/systemd/credential.secret</c>). Secrets go through its standard input and
/// output, and what it printed there is in no message.
/// </summary>
/// <param name="hostSecret">For tests: the file of the host's key; null for the machine's.</param>
internal sealed class SystemdCreds(string? hostSecret = null) : ISecretSeal
{
    private const string Program = "systemd-creds", NeedsRoom = "systemd-creds is in the package systemd; its key needs room in /var/lib/systemd.";
    private const int LargestOutput = 256 << 10, CannotBeRun = 126;

    /// <summary>A TPM takes seconds for it.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);

    /// <inheritdoc/>
    public async Task<string> SealAsync(SecretName name, ReadOnlyMemory<byte> secret, CancellationToken cancellationToken)
    {
        byte[] content = [.. Mark(name), .. secret.Span];
        var (outcome, output) = await RunAsync(["encrypt", "--with-key=auto", .. Binding(name)], content, cancellationToken);
        if (Refuses(outcome)) (outcome, output) = await RunAsync(["encrypt", "--with-key=host", .. Binding(name)], content, cancellationToken);
        if (!outcome.Succeeded) throw new UserError($"a secret cannot be sealed: {Reason(outcome)}", NeedsRoom) { MayPass = true };
        return string.Concat(Encoding.ASCII.GetString(output).Split('\n', StringSplitOptions.TrimEntries));
    }

    /// <inheritdoc/>
    public async Task<byte[]> UnsealAsync(SecretName name, string sealedSecret, CancellationToken cancellationToken)
    {
        var (outcome, output) = await RunAsync(["decrypt", $"--name={name}", "-", "-"], Encoding.ASCII.GetBytes(sealedSecret), cancellationToken);
        if (Refuses(outcome)) throw new SecretLostException(Reason(outcome));
        if (!outcome.Succeeded) throw new UserError($"a secret cannot be unsealed: {Reason(outcome)}", NeedsRoom) { MayPass = true };
        var mark = Mark(name);
        return output.AsSpan().StartsWith(mark) ? output[mark.Length..] : throw new SecretLostException("it was sealed under another name, or by somebody else");
    }

    /// <summary>
    /// To no PCRs: systemd-creds' own choice (7) changes with the keys of Secure Boot, and an update or a way back after which the
    /// device does not know who it is would be worse than what that guards against.
    /// </summary>
    private static string[] Binding(SecretName name) => ["--tpm2-pcrs=", $"--name={name}", "-", "-"];

    /// <summary>The name once more: systemd-creds unseals under any name what was sealed without one.</summary>
    private static byte[] Mark(SecretName name) => Encoding.ASCII.GetBytes($"{name}\n");

    /// <summary>It ran to its end and did not want to.</summary>
    private static bool Refuses(ProcessOutcome outcome) => outcome is { TimedOut: false, ExitCode: > 0 and < CannotBeRun };

    private static string Reason(ProcessOutcome outcome) => outcome.TimedOut ? $"{Program} does not end" : outcome.Tail.Count > 0 ? PlainText.Clean(outcome.Tail[^1]).TrimEnd('.') : $"{Program} ended with {outcome.ExitCode}";

    private Task<(ProcessOutcome Outcome, byte[] Output)> RunAsync(IReadOnlyList<string> arguments, byte[] input, CancellationToken cancellationToken)
    {
        var environment = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C.UTF-8" };
        if (hostSecret is not null) environment["SYSTEMD_CREDENTIAL_SECRET"] = hostSecret;
        return ProcessRunner.FilterAsync(new ProcessCommand(Program, arguments) { Environment = environment, Limit = Limit }, input, LargestOutput, cancellationToken);
    }
}
