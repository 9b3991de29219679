using Appliance.Core;

namespace Appliance.Supervisor.Hooks;

/// <summary>Finds the hooks of a point, by systemd's rule for drop-ins: ordered by name over all folders, the later folder's file of a name wins.</summary>
internal static class HookFolders
{
    /// <summary>The folder of a point: <c>pre-install.d</c> and so on.</summary>
    public static string Name(HookPoint point) => point switch
    {
        HookPoint.PreInstall => "pre-install.d",
        HookPoint.PostInstall => "post-install.d",
        HookPoint.PreReboot => "pre-reboot.d",
        HookPoint.PostCommit => "post-commit.d",
        HookPoint.PostRollback => "post-rollback.d",
        _ => throw new ArgumentOutOfRangeException(nameof(point)),
    };

    /// <summary>The hooks to run, in order; those linked to <c>/dev/null</c> and names that begin with a dot are left out.</summary>
    public static IReadOnlyList<string> Find(IReadOnlyList<string> folders, HookPoint point)
    {
        var hooks = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var folder in folders.Select(folder => Path.Combine(folder, Name(point))).Where(Directory.Exists))
            foreach (var hook in Directory.EnumerateFileSystemEntries(folder).Where(hook => !Path.GetFileName(hook).StartsWith('.')))
                hooks[Path.GetFileName(hook)] = hook;
        return hooks.Values.Where(hook => new FileInfo(hook).LinkTarget != "/dev/null").ToList();
    }

    /// <summary>Refuses what root must not run: a hook, or its folder, that somebody else than root could have written.</summary>
    /// <exception cref="UserError">It must not run, or cannot.</exception>
    public static void Check(string hook)
    {
        var file = File.ResolveLinkTarget(hook, returnFinalTarget: true)?.FullName ?? hook;
        if (!File.Exists(file)) throw new UserError($"{hook} is no hook: it is not a file.", "Hooks are executable files; take it away, or link it to /dev/null.");
        foreach (var path in new[] { Path.GetDirectoryName(hook)!, Path.GetDirectoryName(file)!, file })
        {
            var owner = FileStatus.Of(path);
            if (owner.User != 0) throw new UserError($"{path} belongs to user {owner.User}, so root does not run it.", $"chown root:root {path}");
            if ((owner.Mode & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != 0) throw new UserError($"{path} can be written by others than root, so root does not run it.", $"chmod go-w {path}");
        }
        if ((FileStatus.Of(file).Mode & UnixFileMode.UserExecute) == 0) throw new UserError($"{hook} is not executable.", $"chmod 0755 {hook}, or link it to /dev/null to leave it out.");
    }
}
