using Appliance.Core;

namespace Appliance.UpdateClient.Trust;

/// <summary>
/// The trusted metadata on the device, one file a role. Files are written only after they were verified, and verified again
/// when they are read: a damaged one is as good as none.
/// </summary>
internal sealed class TrustFolder(string path)
{

    public byte[]? TryRead(string name, int limit)
    {
        var file = new FileInfo(Path.Combine(path, name));
        return file.Exists && file.Length <= limit ? File.ReadAllBytes(file.FullName) : null;
    }

    public void Write(string name, ReadOnlySpan<byte> content)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, FolderMode.Private);
        DurableFile.Write(Path.Combine(path, name), content);
    }

    public void Delete(params ReadOnlySpan<string> names)
    {
        if (!Directory.Exists(path)) return;
        foreach (var name in names) File.Delete(Path.Combine(path, name));
        DurableFile.SyncFolder(path);
    }
}
