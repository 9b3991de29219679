namespace Supervisor.Tests;

/// <summary>Puts a disk of its own under a folder, with all that was in it, until it is disposed.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly string _folder;

    /// <summary>Mounts it.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="size">Its size, and further options of tmpfs.</param>
    public SmallDisk(string folder, string size)
    {
        _folder = folder;
        Directory.Move(folder, folder + ".aside");
        Directory.CreateDirectory(folder);
        StateDevice.Run("mount", "-t", "tmpfs", "-o", $"size={size}", "state-test", folder);
        try
        {
            StateDevice.Run("cp", "-a", folder + ".aside/.", folder);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Whatever a program that another test starts just now has inherited.</summary>
    public void Dispose() => StateDevice.Run("umount", "--lazy", _folder);
}
