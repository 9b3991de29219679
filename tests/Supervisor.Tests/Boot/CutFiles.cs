using Appliance.Supervisor.Boot;

namespace Supervisor.Tests.Boot;

/// <summary>
/// Changes files as FAT does, and loses power after a number of steps: a new name appears without content, then has the old
/// one's clusters, then the old name goes.
/// </summary>
internal sealed class CutFiles(EspMount mount, int steps) : EspFiles(mount)
{
    private readonly HashSet<string> _shared = [];
    private int _left = steps;

    public override void Rename(string from, string to)
    {
        Assert.False(File.Exists(to), $"{to} is there already");
        Step();
        File.WriteAllBytes(to, []);
        Step();
        File.Copy(from, to, overwrite: true);
        _shared.Add(from);
        _shared.Add(to);
        Step();
        File.Delete(from);
        _shared.Clear();
        Step();
    }

    public override void Delete(string path)
    {
        Assert.DoesNotContain(path, _shared);
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

    // What a cut left in an earlier run is shared for all that is known.
    public override bool MayShareClusters(string one, string other) => true;

    private void Step()
    {
        if (_left-- == 0) throw new PowerCutException();
    }
}

internal sealed class PowerCutException : Exception;
