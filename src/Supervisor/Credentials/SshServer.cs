using Appliance.Supervisor.Processes;

namespace Appliance.Supervisor.Credentials;

/// <summary>The SSH server, as far as its keys are concerned.</summary>
/// <param name="root">Root of the files.</param>
/// <param name="units">The units.</param>
internal sealed class SshServer(string root, IUnits units)
{
    /// <summary>Its unit.</summary>
    public const string Unit = "ssh.service";

    private const int MostSettings = 1000; // lines that sshd -T prints
    private static readonly TimeSpan UnitLimit = TimeSpan.FromMinutes(1);

    /// <summary>Its settings.</summary>
    public string Settings { get; } = Path.Join(root, "/etc/ssh/sshd_config");

    /// <summary>Whether it runs: where not, nobody logs in, and its settings count from its start.</summary>
    public Task<bool> IsActiveAsync(CancellationToken cancellationToken) => units.IsActiveAsync(Unit, cancellationToken);

    /// <summary>Has it read its settings anew, where it runs.</summary>
    public async Task ReloadAsync(CancellationToken cancellationToken)
    {
        if (await IsActiveAsync(cancellationToken)) await units.ReloadAsync(Unit, UnitLimit, cancellationToken);
    }

    /// <summary>Has it try its settings as they are, and say what they come to.</summary>
    /// <param name="user">Who logs in, from this machine; null for settings that hold for all.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task<IReadOnlyList<string>> TryAsync(string? user, CancellationToken cancellationToken) =>
        RunAsync(new ProcessCommand("/usr/sbin/sshd", ["-T", "-f", Settings, .. user is null ? Array.Empty<string>() : ["-C", $"user={user},host=localhost,addr=127.0.0.1"]]) { TailLines = MostSettings }, cancellationToken);

    /// <summary>Has ssh-keygen say one line of each key in a file.</summary>
    public static Task<IReadOnlyList<string>> ListAsync(string file, CancellationToken cancellationToken) =>
        RunAsync(new ProcessCommand("ssh-keygen", "-l", "-f", file) { TailLines = MostSettings }, cancellationToken);

    /// <summary>Runs one of OpenSSH's programs: what they print is no secret.</summary>
    public static Task<IReadOnlyList<string>> RunAsync(ProcessCommand command, CancellationToken cancellationToken) => CredentialCommand.RunAsync(command, isSecret: false, cancellationToken);
}
