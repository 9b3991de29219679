using System.Diagnostics;

namespace Supervisor.Tests.Usb;

/// <summary>What brings a stick to the verb, as systemd's own tools read it.</summary>
public sealed class StickUnitTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("units");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void TheRule_IsOne()
    {
        // udevadm has `verify` from systemd 254 on; the image's own checks it in the system test.
        var (exitCode, output) = Run("/usr/bin/udevadm", "verify", "--resolve-names=never", InOverlay("udev/rules.d/90-appliance-usb.rules"));
        if (output.Contains("Unknown", StringComparison.OrdinalIgnoreCase)) Assert.Skip("this udevadm cannot verify");
        Assert.True(exitCode == 0, output);
    }

    [Fact]
    public void TheUnit_IsOne()
    {
        // Under a name of its instance, with a program that exists here.
        var unit = Path.Combine(_folder.FullName, "appliance-usb@sda1.service");
        File.WriteAllText(unit, File.ReadAllText(InOverlay("systemd/system/appliance-usb@.service")).Replace("/usr/lib/appliance/appliance-supervisor", "/bin/true", StringComparison.Ordinal));
        var (exitCode, output) = Run("/usr/bin/systemd-analyze", "verify", unit);
        Assert.True(exitCode == 0 && !output.Contains(unit, StringComparison.Ordinal), output);
    }

    private static string InOverlay(string path) => Path.Combine(Repository.Folder, "image/overlays/supervisor/usr/lib", path);

    private static (int ExitCode, string Output) Run(string program, params string[] arguments)
    {
        if (!File.Exists(program)) Assert.Skip($"{program} is not installed");
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd() + errors.Result;
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}
