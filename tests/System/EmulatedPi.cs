using System.Diagnostics;
using Appliance.ImageBuilder.Tools;

namespace Appliance.SystemTests;

/// <summary>
/// QEMU's Raspberry Pi 3, the one that Debian's QEMU has: the image's kernel and its module on a machine with the firmware's mailbox.
/// QEMU's firmware knows little, and writes down what it is asked and does not know.
/// </summary>
/// <param name="folder">A folder to work in.</param>
internal sealed class EmulatedPi(string folder)
{
    /// <summary>The tag after which the firmware starts the other partition, and the one that ends every restart (Raspberry Pi's mailbox property interface).</summary>
    public const string SetRebootFlags = "0x00038064", NotifyReboot = "0x00030048";

    private const string Program = """
        #include <fcntl.h>
        #include <stdio.h>
        #include <unistd.h>
        #include <sys/syscall.h>
        #include <linux/reboot.h>
        int main(void)
        {
            if (syscall(SYS_finit_module, open("/appliance_tryboot.ko", O_RDONLY), "", 0)) perror("the module");
            syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART2, PARAMETER);
            for (;;) pause();
        }
        """;

    /// <summary>Starts the kernel, loads the module, restarts, and gives what the firmware was asked from then on, in order.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="deviceTree">The machine's device tree.</param>
    /// <param name="module">The module.</param>
    /// <param name="parameter">The restart's parameter.</param>
    public async Task<IReadOnlyList<string>> RestartAsync(string kernel, string deviceTree, string module, string parameter)
    {
        var (root, initrd, log, serial) = (Directory.CreateDirectory(Path.Combine(folder, "initrd-root")).FullName, Path.Combine(folder, "initrd"), Path.Combine(folder, "firmware.log"), Path.Combine(folder, "serial.log"));
        File.Delete(log);
        await File.WriteAllTextAsync(Path.Combine(folder, "init.c"), Program);
        await ToolRunner.RunAsync("aarch64-linux-gnu-gcc", ["-static", $"-DPARAMETER=\"{parameter}\"", "-o", Path.Combine(root, "init"), Path.Combine(folder, "init.c")]);
        File.Copy(module, Path.Combine(root, "appliance_tryboot.ko"), overwrite: true);
        await ToolRunner.RunAsync("sh", ["-c", $"cd '{root}' && find . | cpio -o -H newc --quiet > '{initrd}'"]);
        using var machine = Process.Start("qemu-system-aarch64",
            ["-M", "raspi3b", "-kernel", kernel, "-dtb", deviceTree, "-initrd", initrd, "-append", "console=ttyAMA0,115200 console=ttyS1,115200", "-display", "none", "-serial", $"file:{serial}", "-serial", "null", "-no-reboot", "-d", "guest_errors,unimp", "-D", log]);
        try
        {
            for (var limit = Stopwatch.StartNew(); ; await Task.Delay(500, TestContext.Current.CancellationToken))
            {
                var asked = File.Exists(log) ? await File.ReadAllLinesAsync(log, TestContext.Current.CancellationToken) : [];
                var tags = asked.Where(line => line.StartsWith("bcm2835_property: unhandled tag ", StringComparison.Ordinal)).Select(line => line.Split(' ')[^1]).Where(tag => tag is SetRebootFlags or NotifyReboot).ToList();
                if (tags.Contains(NotifyReboot)) return tags;
                Assert.True(limit.Elapsed < TimeSpan.FromMinutes(10) && !machine.HasExited, $"it did not restart: {serial} says\n{(File.Exists(serial) ? await File.ReadAllTextAsync(serial) : "")}");
            }
        }
        finally
        {
            machine.Kill();
            await machine.WaitForExitAsync(CancellationToken.None);
        }
    }
}
