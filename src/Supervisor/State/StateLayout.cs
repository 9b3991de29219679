using Appliance.Core.Images;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;

namespace Appliance.Supervisor.State;

/// <summary>Where state and its snapshots are, below a root folder: <c>/</c> on a device.</summary>
internal sealed record StateLayout(string Root)
{
    /// <summary>Why the state of this boot is not safe; there is no such file when it is. In /run, so each boot has its own.</summary>
    public const string FailurePath = "/run/appliance/state-failed";

    /// <summary>The snapshots' folder. Everybody may see what there is; the data itself is root's.</summary>
    public string Snapshots => Below("/var/lib/appliance/snapshots");

    /// <summary>The list of the image that runs.</summary>
    public string List => Below(StatePaths.ListPath);

    /// <summary>The list of the image that was kept last: the old version's, while a new one is on trial.</summary>
    public string KeptList => Path.Combine(Snapshots, "paths");

    /// <summary>The restore under way.</summary>
    public string Journal => Path.Combine(Snapshots, "restore.json");

    /// <summary>What the last restore did.</summary>
    public string Report => Path.Combine(Snapshots, "restored.json");

    /// <summary>A snapshot that is not whole yet.</summary>
    public string Making => Path.Combine(Snapshots, ".making");

    /// <summary>What is about to be deleted.</summary>
    public string Discarded => Path.Combine(Snapshots, ".discarded");

    /// <summary>What is on trial.</summary>
    public string Trial => Below(TrialRecord.DefaultPath);

    /// <summary>This boot's name.</summary>
    public string BootId => DeviceBoot.ReadBootId(Below("/"));

    /// <summary>The persisted paths that the initrd made at this boot: the versions before had none.</summary>
    public string MadeByInitrd => Below("/run/appliance/etc-made");

    /// <summary>Where the failure is told.</summary>
    public string Failure => Below(FailurePath);

    /// <summary>
    /// Where the content of a listed path is. Persisted paths are bound from the data partition by the initrd
    /// (image/initrd, bind-etc), and a bind mount follows its source's inode: see <see cref="StateRestore"/>.
    /// </summary>
    public string InPlace(string path) => Below(IsPersisted(path) ? "/var/lib/appliance" + path : path);

    /// <summary>True for a path below /etc.</summary>
    public static bool IsPersisted(string path) => path.StartsWith("/etc/", StringComparison.Ordinal);

    private string Below(string path) => Path.Join(Root, path);
}
