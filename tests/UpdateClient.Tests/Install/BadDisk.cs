using System.Diagnostics;

namespace UpdateClient.Tests.Install;

/// <summary>Puts a block device in a file's place that reads as the file does up to a byte, and with an I/O error from there on: a loop device whose file was cut.</summary>
internal sealed class BadDisk : IDisposable
{
    private readonly string _device;

    public BadDisk(string path, long goodBytes)
    {
        var backing = path + ".disk";
        File.Move(path, backing);
        _device = Losetup("--show", "--find", backing);
        using (var file = File.OpenWrite(backing)) file.SetLength(goodBytes);
        File.CreateSymbolicLink(path, _device);
    }

    public void Dispose() => Losetup("--detach", _device);

    private static string Losetup(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("losetup", arguments) { RedirectStandardOutput = true })!;
        var said = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"losetup ended with exit code {process.ExitCode}");
        return said;
    }
}
