using Appliance.Core;

namespace Appliance.UpdateClient.Install;

/// <summary>Two installations into one place would undo each other.</summary>
public static class StateFolderLock
{
    private const string Name = "lock";

    /// <summary>Takes the lock of a state folder, which is made when it is not there.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="by">What somebody does who has it, in a few words.</param>
    /// <exception cref="UserError">The folder cannot be written, or somebody has the lock.</exception>
    public static FileStream Take(string folder, string by = "update")
    {
        try
        {
            Directory.CreateDirectory(folder);
            return new FileStream(Path.Combine(folder, Name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is UnauthorizedAccessException || e is IOException io && (NativeFile.IsReadOnly(io) || NativeFile.IsDiskFull(io)))
        {
            throw new UserError($"The state folder {folder} cannot be written: {e.Message}", "Free space on the data partition, or check that it is mounted and writable.", e);
        }
        catch (IOException e)
        {
            throw new UserError($"Another {by} is under way: {e.Message}", "Wait until it ends, or stop it first.", e) { MayPass = true };
        }
    }
}
