namespace Appliance.Core.Images;

/// <summary>The paths that go back with a version: what the builder writes into an image and the supervisor reads there.</summary>
public static class StatePaths
{
    /// <summary>The list in the image, one absolute path a line.</summary>
    public const string ListPath = "/usr/lib/appliance/state";

    /// <summary>What updating itself keeps: putting that back would undo the update that is under way. Persisted files are named by their place in /etc.</summary>
    private static readonly string[] Own = ["/var/lib/appliance/snapshots", "/var/lib/appliance/update", "/var/lib/appliance/etc"];

    /// <summary>True for a path that holds, is or lies within what updating itself keeps.</summary>
    public static bool IsTheSupervisors(string path) => Own.Any(own => Holds(path, own) || Holds(own, path));

    /// <summary>The paths in order, each once, without those that lie within another.</summary>
    public static IReadOnlyList<string> Outermost(IReadOnlyCollection<string> paths) =>
        paths.Where(path => !paths.Any(other => other != path && Holds(other, path))).Distinct().Order(StringComparer.Ordinal).ToList();

    private static bool Holds(string outer, string inner) => inner == outer || inner.StartsWith(outer + "/", StringComparison.Ordinal);
}
