using Appliance.Supervisor.State;

namespace Supervisor.Tests;

/// <summary>Cuts the power at the n-th operation on the disk, which is half done then; after it nothing is done any more.</summary>
internal sealed class PowerCut(int at)
{
    private int _count;

    /// <summary>True once the power is gone.</summary>
    public bool Happened => _count >= at;

    public StateDisk Disk() => new(Before);

    private void Before(StateDisk.Operation operation, string path, string? target)
    {
        _count++;
        if (_count < at) return;
        if (_count == at) HalfDo(operation, path, target);
        throw new PowerIsGone();
    }

    private static void HalfDo(StateDisk.Operation operation, string path, string? target)
    {
        switch (operation)
        {
            case StateDisk.Operation.Copy when StateDisk.IsFolder(path):
                var first = Directory.EnumerateFileSystemEntries(path).FirstOrDefault();
                if (first is null) return;
                Directory.CreateDirectory(target!);
                StateDevice.Run("cp", "-a", first, Path.Combine(target!, Path.GetFileName(first)));
                break;
            case StateDisk.Operation.Copy:
                if (new FileInfo(path).LinkTarget is null) File.WriteAllBytes(target!, File.ReadAllBytes(path)[..1]);
                break;
            case StateDisk.Operation.Remove when StateDisk.IsFolder(path):
                if (Directory.EnumerateFileSystemEntries(path).FirstOrDefault() is { } one) StateDevice.Run("rm", "-rf", one);
                break;
            case StateDisk.Operation.Write:
                File.WriteAllText(Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.0.tmp"), "{");
                break;
        }
    }
}

/// <summary>Nothing catches it, as nothing runs on after a power cut.</summary>
internal sealed class PowerIsGone() : Exception("the power is gone");
