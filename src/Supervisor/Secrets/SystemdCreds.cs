using System.Text;
using Appliance.Core;
using Appliance.Supervisor.Processes;
using Serilog;

namespace Appliance.Supervisor.Secrets;

/// <summary>
/// Seals with <c>systemd-creds</c>, which needs root: by a key in the machine's TPM2 and the host's own where there is a TPM2 that
/// systemd can use, else by the host's alone (<c>/var/lib/systemd/credential.secret</c>). A TPM2 that does not answer now is no reason
/// to do without it, which is why systemd-creds' own choice (<c>--with-key=auto</c>) is not used. Secrets go through its standard input
/// and output, and what it printed there is in no message.
/// </summary>
/// <param name="hostSecret">For tests: the file of the host's key; null for the machine's.</param>
/// <param name="program">For tests: another program than systemd-creds.</param>
internal sealed class SystemdCreds(string? hostSecret = null, string program = SystemdCreds.Program) : ISecretSeal
{
    private const string Program = "systemd-creds", WithBoth = "host+tpm2", WithHost = "host", NeedsRoom = "systemd-creds is in the package systemd; its key needs room in /var/lib/systemd.";
    private const int LargestOutput = 256 << 10;

    /// <summary>A TPM takes seconds for it.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);

    /// <summary>
    /// What systemd-creds says (creds-util.c of systemd 252 to 261; it ends with 1 whatever it is) when a secret is damaged or under
    /// another name, or its key is another machine's or TPM's. All else may pass: a TPM that is busy, locked or not there, libraries, memory.
    /// </summary>
    private static readonly string[] Lost =
    [
        "Decryption failed (incorrect key?)", "Embedded credential name", "Encrypted file too short", "corrupted data", "in header", "Metadata header incomplete",
        "Failed to read encrypted credential data: Invalid argument", "Failed to determine local credential key: No such file", "Failed to determine local credential key: Invalid argument",
        "integrity check failed", "PCR bank invalid",
    ];

    /// <inheritdoc/>
    public async Task<string> SealAsync(SecretName name, ReadOnlyMemory<byte> secret, CancellationToken cancellationToken)
    {
        if (!await HasTpmAsync(cancellationToken)) return await SealAsync(name, secret, WithHost, cancellationToken);
        var sealedSecret = await SealAsync(name, secret, WithBoth, cancellationToken);
        try
        {
            var opened = await UnsealAsync(name, sealedSecret, cancellationToken);
            if (secret.Span.SequenceEqual(opened)) return sealedSecret;
        }
        catch (SecretLostException e)
        {
            // So does systemd 252 without PCRs. What can be sealed and not unsealed would be the end of a membership.
            Log.Warning("The TPM seals what it does not unseal ({Reason}); secrets are sealed by the host's key alone", e.Message);
        }
        return await SealAsync(name, secret, WithHost, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<byte[]> UnsealAsync(SecretName name, string sealedSecret, CancellationToken cancellationToken)
    {
        var (outcome, output) = await RunAsync(["decrypt", $"--name={name}", "-", "-"], Encoding.ASCII.GetBytes(sealedSecret), cancellationToken);
        if (!outcome.Succeeded) throw IsLost(outcome) ? new SecretLostException(Reason(outcome)) : new UserError($"a secret cannot be unsealed now: {Reason(outcome)}", NeedsRoom) { MayPass = true };
        var mark = Mark(name);
        return output.AsSpan().StartsWith(mark) ? output[mark.Length..] : throw new SecretLostException("it was sealed under another name, or by somebody else");
    }

    /// <summary>Whether firmware, kernel, systemd and its libraries know a TPM2; whether it answers is another question.</summary>
    /// <exception cref="UserError">That takes too long; without it nothing would be sealed as it should be.</exception>
    private async Task<bool> HasTpmAsync(CancellationToken cancellationToken)
    {
        var (outcome, _) = await RunAsync(["has-tpm2", "--quiet"], [], cancellationToken);
        return !outcome.TimedOut ? outcome.Succeeded : throw new UserError("systemd-creds does not say in time whether there is a TPM2.", NeedsRoom) { MayPass = true };
    }

    /// <remarks>
    /// To no PCRs: systemd-creds' own choice (7) changes with the keys of Secure Boot, and an update or a way back after which the
    /// device does not know who it is would be worse than what that guards against.
    /// </remarks>
    private async Task<string> SealAsync(SecretName name, ReadOnlyMemory<byte> secret, string key, CancellationToken cancellationToken)
    {
        byte[] content = [.. Mark(name), .. secret.Span];
        var (outcome, output) = await RunAsync(["encrypt", $"--with-key={key}", "--tpm2-pcrs=", $"--name={name}", "-", "-"], content, cancellationToken);
        return outcome.Succeeded ? string.Concat(Encoding.ASCII.GetString(output).Split('\n', StringSplitOptions.TrimEntries))
            : throw new UserError($"a secret cannot be sealed now: {Reason(outcome)}", NeedsRoom) { MayPass = true };
    }

    /// <summary>The name once more: systemd-creds unseals under any name what was sealed without one.</summary>
    private static byte[] Mark(SecretName name) => Encoding.ASCII.GetBytes($"{name}\n");

    private static bool IsLost(ProcessOutcome outcome) => !outcome.TimedOut && outcome.Tail.Any(line => Lost.Any(word => line.Contains(word, StringComparison.Ordinal)));

    private static string Reason(ProcessOutcome outcome) => outcome.TimedOut ? $"{Program} does not end" : outcome.Tail.Count > 0 ? PlainText.Clean(outcome.Tail[^1]).TrimEnd('.') : $"{Program} ended with {outcome.ExitCode}";

    private Task<(ProcessOutcome Outcome, byte[] Output)> RunAsync(IReadOnlyList<string> arguments, byte[] input, CancellationToken cancellationToken)
    {
        var environment = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C.UTF-8" };
        if (hostSecret is not null) environment["SYSTEMD_CREDENTIAL_SECRET"] = hostSecret;
        return ProcessRunner.FilterAsync(new ProcessCommand(program, arguments) { Environment = environment, Limit = Limit }, input, LargestOutput, cancellationToken);
    }
}
