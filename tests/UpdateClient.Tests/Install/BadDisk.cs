using System.Diagnostics;

namespace UpdateClient.Tests.Install;

/// <summary>
/// Puts a block device in a file's place that reads as the file does up to a byte, and with an I/O error from there on until it is
/// written: a loop device whose file was cut.
/// </summary>
internal sealed class BadDisk : IDisposable
{
    private readonly string _backing;

    /// <param name="path">The file.</param>
    /// <param name="goodBytes">Bytes that can be read; null for all, until <see cref="Cut"/>.</param>
    public BadDisk(string path, long? goodBytes = null)
    {
        _backing = path + ".disk";
        File.Move(path, _backing);
        Device = Run("losetup", "--show", "--find", _backing);
        if (goodBytes is { } good) Cut(good);
        File.CreateSymbolicLink(path, Device);
    }

    public string Device { get; }

    /// <summary>Nothing can be read from here on.</summary>
    public void Cut(long goodBytes)
    {
        using (var file = File.OpenWrite(_backing)) file.SetLength(goodBytes);
        Run("blockdev", "--flushbufs", Device); // nothing of it is in memory any more
    }

    public void Dispose() => Run("losetup", "--detach", Device);

    private static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        var said = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} ended with exit code {process.ExitCode}");
        return said;
    }
}
