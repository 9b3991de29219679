using System.Diagnostics;

namespace Supervisor.Tests.Boot;

/// <summary>Who asks for the verdict on a Raspberry Pi: <c>/usr/lib/appliance/tryboot</c>, as the script it is.</summary>
public sealed class TrybootUnitTests : IDisposable
{
    private const string Mark = "run/appliance/tryboot";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tryboot");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(1, true)]
    [InlineData(0, false)]
    public void ABoot_IsJudged_WhenTheFirmwareTriesTheVersion(byte flag, bool judged)
    {
        Write("proc/device-tree/chosen/bootloader/tryboot", [0, 0, 0, flag]);
        Write("bin/systemctl", "#!/bin/sh\necho \"$*\" > \"$APPLIANCE_ROOT/asked\"\n"u8.ToArray());
        File.SetUnixFileMode(In("bin/systemctl"), (UnixFileMode)0b111_101_101);
        var start = new ProcessStartInfo("sh", [Path.Combine(Repository.Folder, "image/overlays/supervisor/usr/lib/appliance/tryboot")]);
        start.Environment["APPLIANCE_ROOT"] = _folder.FullName;
        start.Environment["PATH"] = $"{In("bin")}:{Environment.GetEnvironmentVariable("PATH")}";

        using var process = Process.Start(start)!;
        process.WaitForExit();

        Assert.Equal(0, process.ExitCode);
        Assert.Equal(judged, File.Exists(In(Mark)));
        Assert.Equal(judged ? "start --no-block boot-complete.target\n" : null, File.Exists(In("asked")) ? File.ReadAllText(In("asked")) : null);
    }

    /// <summary>The file it makes is what lets a gate that fails restart the machine.</summary>
    [Fact]
    public void AGateThatFails_RestartsWhatIsTried()
    {
        var unit = File.ReadAllText(Path.Combine(Repository.Folder, "image/overlays/supervisor/usr/lib/systemd/system/appliance-trial-failed.service"));

        Assert.Contains($"ConditionPathExists=|/{Mark}\n", unit, StringComparison.Ordinal);
        Assert.Contains("ConditionPathExists=|/sys/firmware/efi/efivars/LoaderBootCountPath-", unit, StringComparison.Ordinal);
    }

    private void Write(string path, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(path))!);
        File.WriteAllBytes(In(path), content);
    }

    private string In(string path) => Path.Combine(_folder.FullName, path);
}
