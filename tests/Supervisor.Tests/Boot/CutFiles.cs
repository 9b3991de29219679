using Appliance.Supervisor.Boot;

namespace Supervisor.Tests.Boot;

/// <summary>
/// Changes files as FAT does, and loses power after a number of steps: a new name appears without content, then has the old
/// one's clusters, then the old name goes. Every boot entry of <see cref="SlotDisk"/> and <see cref="PiDisk"/> has content of its
/// own, so names with one content have one chain of clusters.
/// </summary>
internal sealed class CutFiles(IReadOnlyList<EspMount> mounts, int steps) : EspFiles(mounts)
{
    private int _left = steps;

    public override void Rename(string from, string to)
    {
        Assert.False(File.Exists(to), $"{to} is there already");
        Step();
        File.WriteAllBytes(to, []);
        Step();
        File.Copy(from, to, overwrite: true);
        Step();
        File.Delete(from);
        Step();
    }

    public override void Delete(string path)
    {
        if (!File.Exists(path)) return;
        // What was set aside is never touched again, so nothing is lost with its clusters.
        Assert.DoesNotContain(Directory.EnumerateFiles(Path.GetDirectoryName(path)!), other => other != path && !other.EndsWith(".aside", StringComparison.Ordinal) && MayShareClusters(path, other));
        Step();
        base.Delete(path);
        Step();
    }

    public override void Write(string path, string content)
    {
        Step();
        var temporary = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.cut.tmp");
        File.WriteAllText(temporary, content);
        Step();
        base.Write(path, content);
        Step(); // Here the temporary name is left beside the new file.
        File.Delete(temporary);
        Step();
    }

    public override bool MayShareClusters(string one, string other) => File.ReadAllText(one) is { Length: > 0 } content && content == File.ReadAllText(other);

    private void Step()
    {
        if (_left-- == 0) throw new PowerCutException();
    }
}

internal sealed class PowerCutException : Exception;
