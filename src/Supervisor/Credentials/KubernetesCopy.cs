using System.Runtime.InteropServices;
using Appliance.Core;

namespace Appliance.Supervisor.Credentials;

/// <summary>
/// A folder of k3s as it was before a rotation, and its way back, once: what is written after it is back must not be lost when the
/// power goes.
/// </summary>
/// <param name="place">The folder.</param>
/// <param name="work">Where the copy is.</param>
internal sealed partial class KubernetesCopy(string place, RotationWork work)
{
    private const string BackName = ".appliance-back";
    private const int CurrentFolder = -100; // AT_FDCWD
    private const long Margin = 64 << 20;
    private const uint Exchange = 2; // RENAME_EXCHANGE, rename(2)

    /// <summary>In the folder itself: it takes its place in the same step as the copy.</summary>
    private readonly string _isBack = Path.Combine(place, BackName), _next = place + ".back", _needed = Path.Combine(work.Old, "needed");

    /// <summary>The copy.</summary>
    public string Folder { get; } = Path.Combine(work.Old, Path.GetFileName(place));

    /// <summary>Whether the folder may have been changed since, and the copy is not wholly back.</summary>
    public bool IsNeeded => File.Exists(_needed);

    /// <summary>Whether the copy is in its place already.</summary>
    public bool IsBack => File.Exists(_isBack);

    /// <summary>Makes sure that there is room for the copy, and for one more on its way back.</summary>
    /// <exception cref="UserError">There is none.</exception>
    public void RequireRoom()
    {
        // k3s runs, and files come and go.
        var all = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = 0 };
        var needed = (2 * new DirectoryInfo(place).EnumerateFiles("*", all).Sum(file => file.Exists ? file.Length : 0)) + Margin;
        if (new DriveInfo(work.Folder).AvailableFreeSpace is var free && free < needed) throw new UserError($"{ByteSize.Format(needed)} are needed to keep what there is and to bring it back, and {ByteSize.Format(free)} are free.", "Free space on the data partition.") { MayPass = true };
    }

    /// <summary>Makes the copy, with k3s stopped.</summary>
    public Task TakeAsync(CancellationToken cancellationToken)
    {
        work.Say("before the copy is made");
        DurableFile.Delete(_isBack);
        return CopyAsync(place, Folder, cancellationToken);
    }

    /// <summary>From now on the folder may be changed.</summary>
    public void Need() => DurableFile.Write(_needed, []);

    /// <summary>Puts the copy beside the place; k3s may run.</summary>
    public async Task ApproachAsync(CancellationToken cancellationToken)
    {
        work.Say("before the copy is brought back");
        try
        {
            await CopyAsync(Folder, _next, cancellationToken);
        }
        catch
        {
            if (Directory.Exists(_next)) Directory.Delete(_next, recursive: true); // what is half there only takes room
            throw;
        }
        DurableFile.Write(Path.Combine(_next, BackName), []);
    }

    /// <summary>Puts it into the place, in one step; with k3s stopped.</summary>
    public void BringBack()
    {
        work.Say("before the copy is in its place");
        // Not by two renames: without the folder k3s would begin a new cluster.
        if (renameat2(CurrentFolder, _next, CurrentFolder, place, Exchange) != 0) throw new IOException($"{_next} and {place} could not change places: {Marshal.GetLastPInvokeErrorMessage()}");
        DurableFile.SyncFolder(Path.GetDirectoryName(place)!);
    }

    /// <summary>The copy is back, and must not come back again.</summary>
    public void Forget()
    {
        work.Say("after the copy is in its place");
        if (Directory.Exists(_next)) Directory.Delete(_next, recursive: true);
        work.Say("before the copy is needed no longer");
        DurableFile.Delete(_needed);
        work.Say("after the copy is needed no longer");
        DurableFile.Delete(_isBack);
    }

    private static async Task CopyAsync(string from, string to, CancellationToken cancellationToken)
    {
        if (Directory.Exists(to)) Directory.Delete(to, recursive: true);
        await CredentialCommand.RunAsync("cp", ["--archive", "--reflink=auto", from, to], null, cancellationToken);
        await CredentialCommand.RunAsync("sync", ["--file-system", Path.GetDirectoryName(to)!], null, cancellationToken);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renameat2(int oldFolder, string oldPath, int newFolder, string newPath, uint flags);
}
