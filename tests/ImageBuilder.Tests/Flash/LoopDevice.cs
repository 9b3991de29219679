namespace ImageBuilder.Tests.Flash;

/// <summary>A real block device over a file.</summary>
internal sealed class LoopDevice : IDisposable
{
    public LoopDevice(string file, long size, params string[] options)
    {
        BackingFile = file;
        using (var handle = File.OpenHandle(file, FileMode.OpenOrCreate, FileAccess.Write)) RandomAccess.SetLength(handle, size);
        Path = Tool.Run("losetup", ["--find", "--show", .. options, file]).Trim();
    }

    public string Path { get; }

    public string Name => System.IO.Path.GetFileName(Path);

    public string BackingFile { get; }

    public byte[] Read(long offset, int length)
    {
        var bytes = new byte[length];
        using var file = File.OpenHandle(BackingFile);
        RandomAccess.Read(file, bytes, offset);
        return bytes;
    }

    public void Dispose() => Tool.Run("losetup", "--detach", Path);
}
