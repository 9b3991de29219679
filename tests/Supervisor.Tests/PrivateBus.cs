using System.Diagnostics;

namespace Supervisor.Tests;

/// <summary>A real dbus-daemon of the test's own.</summary>
internal sealed class PrivateBus : IDisposable
{
    private readonly Process _daemon;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bus");

    public PrivateBus()
    {
        Address = $"unix:path={_folder.FullName}/socket";
        _daemon = Process.Start(new ProcessStartInfo("dbus-daemon", ["--session", "--nofork", "--nopidfile", "--print-address", $"--address={Address}"]) { RedirectStandardOutput = true })!;
        _daemon.StandardOutput.ReadLine(); // it listens once it has said where
    }

    public string Address { get; }

    public void Kill()
    {
        _daemon.Kill();
        _daemon.WaitForExit();
    }

    public void Dispose()
    {
        if (!_daemon.HasExited) Kill();
        _daemon.Dispose();
        _folder.Delete(recursive: true);
    }
}
