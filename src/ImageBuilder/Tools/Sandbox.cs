using System.Reflection;
using Appliance.Core;

namespace Appliance.ImageBuilder.Tools;

/// <summary>
/// Runs a stage's script in private mount and PID namespaces: whatever it mounts or starts ends with it, however it ends.
/// Without root it also gets a user namespace in which the caller is root (needs an entry in /etc/subuid).
/// </summary>
internal sealed class Sandbox(string toolsTree, string workFolder)
{
    private static readonly string[] AsRoot = ["--user", "--map-auto", "--map-root-user"];
    private static readonly string[] AsCaller = ["--user", "--map-current-user"];

    /// <summary>The folder for the scripts' temporary files.</summary>
    public string WorkFolder { get; } = workFolder;

    /// <summary>The text of an embedded script, part of the key of every stage that runs it.</summary>
    public static string ScriptText(string script)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(script)
            ?? throw new InvalidOperationException($"the script {script} is not embedded");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Runs an embedded script with the variables given; <c>TOOLS</c> and <c>WORK</c> are always set.</summary>
    public async Task RunAsync(string script, IReadOnlyDictionary<string, string?> variables, Action<string>? onLine, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(WorkFolder);
        var path = Path.Combine(WorkFolder, $"{script}.{Guid.NewGuid():N}");
        await File.WriteAllTextAsync(path, ScriptText("common.sh") + "\n" + ScriptText(script), cancellationToken);
        var environment = new Dictionary<string, string?>(variables)
        {
            ["TOOLS"] = toolsTree,
            ["WORK"] = WorkFolder,
            ["TMPDIR"] = WorkFolder,
            ["LC_ALL"] = "C.UTF-8",
            ["DEBIAN_FRONTEND"] = "noninteractive",
        };
        try
        {
            await ToolRunner.RunAsync("unshare", [.. Namespaces(AsRoot), "sh", path], environment, onLine, cancellationToken: cancellationToken);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Runs a program, as the caller, in a PID namespace of its own: when it ends or is cancelled, so does everything it started.</summary>
    public static Task RunAsCallerAsync(string program, IEnumerable<string> arguments, Action<string>? onLine, CancellationToken cancellationToken) =>
        ToolRunner.RunAsync("unshare", [.. Namespaces(AsCaller), program, .. arguments], onLine: onLine, cancellationToken: cancellationToken);

    /// <summary>Deletes a folder whose files may belong to users that only exist inside the user namespace.</summary>
    public static async Task DeleteAsync(string folder)
    {
        if (Directory.Exists(folder)) await ToolRunner.RunAsync("unshare", [.. Namespaces(AsRoot), "rm", "-rf", "--one-file-system", folder]);
    }

    /// <summary>Refuses early, with the way out, where user namespaces are needed and not to be had.</summary>
    public static void RequireNamespaces()
    {
        if (Environment.IsPrivilegedProcess) return;
        var user = Environment.UserName;
        if (!File.ReadLines("/etc/subuid").Any(line => line.StartsWith($"{user}:", StringComparison.Ordinal)))
            throw new UserError($"{user} has no subordinate user ids, which building without root needs.", $"Run once as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}");
    }

    private static IEnumerable<string> Namespaces(string[] user) =>
        [.. Environment.IsPrivilegedProcess ? [] : user, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
}
