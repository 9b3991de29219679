using System.Diagnostics;
using Appliance.Supervisor.Boot;

namespace Supervisor.Tests.Boot;

public sealed class TrialShutdownTests
{
    [Fact]
    public void WhyNot_AnOrderlyShutdownInATrial_OwesTheTry()
    {
        using var disk = new SlotDisk().Booted("edge_1.0+2-1.efi");

        Assert.Null(TrialShutdown.WhyNot(disk.Root));
    }

    [Fact]
    public void WhyNot_TheBootWasGivenUp_KeepsTheTry()
    {
        using var disk = new SlotDisk().Booted("edge_1.0+2-1.efi");
        Write(disk, TrialShutdown.FailedMark, "");

        Assert.Contains("given up", TrialShutdown.WhyNot(disk.Root));
    }

    [Theory]
    [InlineData(SlotDisk.Hash1 + " 5\n", false)]
    [InlineData(SlotDisk.Hash1 + " 6\n", true)]
    [InlineData(SlotDisk.Hash2 + " 9\n", false)]
    [InlineData("damaged", false)]
    public void AVersionThatRebootsByItself_ComesToTheEndOfItsTries(string boots, bool keeps)
    {
        using var disk = new SlotDisk().Booted("edge_1.0+2-1.efi");
        Write(disk, BootRow.FilePath, boots);

        Assert.Equal(keeps, TrialShutdown.WhyNot(disk.Root) is not null);
    }

    [Fact]
    public async Task Run_TheBootIsNotCounted_SaysSoAndTouchesNothing()
    {
        using var disk = new SlotDisk().With("edge_1.0.efi");
        using var output = new StringWriter();

        Assert.Equal(0, await TrialShutdown.RunAsync(disk.Root, output, TestContext.Current.CancellationToken));

        Assert.Contains("does not count", output.ToString());
    }

    [Fact]
    public void WhyNot_ATrialOfTryboot_OwesTheTry()
    {
        using var disk = new PiDisk(labelB: "edge_2.0").Boot("b", tried: true);

        Assert.Null(TrialShutdown.WhyNot(disk.Root));
        Directory.CreateDirectory(Path.Combine(disk.Root, "sys/firmware/efi"));
        Assert.NotNull(TrialShutdown.WhyNot(disk.Root));
    }

    [Theory]
    [InlineData("exited", "0", true, false)] // Ten minutes passed.
    [InlineData("killed", "TERM", false, false)] // A shutdown in good order.
    [InlineData("killed", "TERM", true, true)] // The same in a trial.
    public void BootKept_RemovesTheCountOnceTheBootHasStayedUp(string code, string status, bool trial, bool stays)
    {
        using var disk = new SlotDisk();
        if (trial) disk.Booted("edge_1.0+2-1.efi");
        Write(disk, BootRow.FilePath, SlotDisk.Hash1 + " 3\n");
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!Directory.Exists(Path.Combine(folder.FullName, "image/overlays"))) folder = folder.Parent!;
        var start = new ProcessStartInfo("sh", [Path.Combine(folder.FullName, "image/overlays/supervisor/usr/lib/appliance/boot-kept")]);
        (start.Environment["APPLIANCE_ROOT"], start.Environment["EXIT_CODE"], start.Environment["EXIT_STATUS"]) = (disk.Root, code, status);

        using var process = Process.Start(start)!;
        process.WaitForExit();

        Assert.Equal(0, process.ExitCode);
        Assert.Equal(stays, File.Exists(Path.Combine(disk.Root, BootRow.FilePath)));
    }

    private static void Write(SlotDisk disk, string path, string text)
    {
        var full = Path.Combine(disk.Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }
}
