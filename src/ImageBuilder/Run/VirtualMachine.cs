using System.ComponentModel;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Disk;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Run;

/// <summary>A QEMU machine that boots a disk image with UEFI; gone with all its files when it is disposed.</summary>
internal sealed class VirtualMachine : IAsyncDisposable
{
    private readonly Process _qemu;
    private readonly string _folder;
    private readonly StringBuilder _errors = new();
    private int _sticks;

    private VirtualMachine(Process qemu, string folder, bool accelerated) => (_qemu, _folder, IsAccelerated) = (qemu, folder, accelerated);

    /// <summary>True when the processor runs the machine itself.</summary>
    public bool IsAccelerated { get; }

    /// <summary>Ends when QEMU does.</summary>
    public Task Ended => _qemu.WaitForExitAsync();

    /// <summary>What QEMU itself complained about.</summary>
    public string Errors
    {
        get { lock (_errors) return _errors.ToString(); }
    }

    /// <summary>Starts a machine.</summary>
    /// <param name="options">How it is made.</param>
    /// <param name="onSerial">Gets the serial console's bytes, or null.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="UserError">QEMU or its firmware is missing, or the kept state belongs to another image.</exception>
    public static async Task<VirtualMachine> StartAsync(MachineOptions options, Action<byte[], int>? onSerial, CancellationToken cancellationToken)
    {
        var architecture = DiskLayout.FindArchitecture(options.Image) ?? throw new UserError($"{options.Image} is no image of ours: its partition table has no root partition.", "Name disk.img, disk.img.zst, or the folder a build made, e.g. out/appliance_1.0.0_amd64.");
        if (!DiskLayout.HasEsp(options.Image)) throw new UserError($"{options.Image} starts by a Raspberry Pi's firmware, which runs on the hardware only.", "Write it to a card: `appliance flash`. To look at the same system here, build it for uefi-arm64.");
        var firmware = Firmware.Find(architecture);
        var folder = Directory.CreateTempSubdirectory("appliance-run-").FullName;
        try
        {
            var disk = options.State ?? Path.Combine(folder, "disk.qcow2");
            var variables = options.State is null ? Path.Combine(folder, "vars.fd") : options.State + ".vars";
            await PrepareDiskAsync(options, disk, cancellationToken);
            if (!File.Exists(variables)) File.Copy(firmware.Variables, variables);
            var accelerated = options.AllowKvm && architecture == DebianArchitecture.Host && Kvm.IsUsable();
            var qemu = Start(architecture, Arguments(architecture, options, firmware, folder, disk, variables, accelerated));
            var machine = new VirtualMachine(qemu, folder, accelerated);
            machine.Pump(options.SerialLog, onSerial);
            return machine;
        }
        catch
        {
            Directory.Delete(folder, recursive: true);
            throw;
        }
    }

    /// <summary>Presses the power button: the system shuts down cleanly.</summary>
    public Task PowerDownAsync(CancellationToken cancellationToken) => CommandAsync(Command("system_powerdown"), cancellationToken);

    /// <summary>Pulls the plug, then puts it back: the machine starts anew.</summary>
    public Task ResetAsync(CancellationToken cancellationToken) => CommandAsync(Command("system_reset"), cancellationToken);

    /// <summary>Puts a USB stick in.</summary>
    /// <param name="image">What is on it, raw.</param>
    /// <param name="cancellationToken">Ends the wait for QEMU.</param>
    public async Task PlugInAsync(string image, CancellationToken cancellationToken)
    {
        // QEMU lets go of a stick some time after it was pulled out: the next one has another name.
        var stick = $"stick{++_sticks}";
        await CommandAsync(Command("blockdev-add", new JsonObject { ["driver"] = "raw", ["node-name"] = stick, ["file"] = new JsonObject { ["driver"] = "file", ["filename"] = image } }), cancellationToken);
        await CommandAsync(Command("device_add", new JsonObject { ["driver"] = "usb-storage", ["id"] = stick, ["drive"] = stick, ["bus"] = "usb.0" }), cancellationToken);
    }

    /// <summary>Pulls the USB stick out that was put in last.</summary>
    public Task PullOutAsync(CancellationToken cancellationToken) => CommandAsync(Command("device_del", new JsonObject { ["id"] = $"stick{_sticks}" }), cancellationToken);

    /// <summary>The root shell of a machine started with <see cref="MachineOptions.GuestShell"/>.</summary>
    public Task<GuestShell> OpenShellAsync(CancellationToken cancellationToken) => GuestShell.ConnectAsync(_folder, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_qemu.HasExited) _qemu.Kill(entireProcessTree: true);
        await _qemu.WaitForExitAsync();
        _qemu.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task PrepareDiskAsync(MachineOptions options, string disk, CancellationToken cancellationToken)
    {
        var image = Path.GetFullPath(options.Image);
        var stamp = $"{image} {new FileInfo(image).Length} {File.GetLastWriteTimeUtc(image).Ticks}";
        var stampFile = disk + ".base";
        if (File.Exists(disk))
        {
            if (File.Exists(stampFile) && await File.ReadAllTextAsync(stampFile, cancellationToken) == stamp) return;
            throw new UserError($"{disk} holds the state of another build of the image.", $"Delete {disk}, {disk}.vars and {stampFile} to start anew, or name another file with --data.");
        }
        var size = Math.Max(options.DiskSize, new FileInfo(image).Length);
        await ToolRunner.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", "-b", image, "-F", "raw", disk, size.ToString()], cancellationToken: cancellationToken);
        await File.WriteAllTextAsync(stampFile, stamp, cancellationToken);
    }

    private static IEnumerable<string> Arguments(string architecture, MachineOptions options, Firmware firmware, string folder, string disk, string variables, bool accelerated)
    {
        var arm = architecture == "arm64";
        // Of an emulated "max" arm64 processor each signed return address costs more than the rest of the call.
        var ownTime = options.OwnTime && !accelerated;
        string[] processor = accelerated ? ["-accel", "kvm", "-cpu", "host"]
            : ["-accel", ownTime ? "tcg,thread=single" : "tcg,thread=multi", .. ownTime ? (string[])["-icount", "shift=1,sleep=on"] : [], "-cpu", arm ? "cortex-a72" : "max"];
        // Emulated, a loaded machine can be slower than any watchdog's patience: then there is one, and it does not bite.
        string[] watchdog = ["-device", "i6300esb", "-action", $"watchdog={(accelerated || options.Watchdog ? "reset" : "none")}"];
        return
        [
            "-machine", arm ? "virt" : "q35,smm=off", .. processor, "-smp", ownTime ? "1" : options.Processors.ToString(), "-m", $"{options.Memory >> 20}",
            "-nodefaults", "-display", "none", "-serial", "stdio",
            "-drive", $"if=pflash,format=raw,readonly=on,file={Escape(firmware.Code)}",
            "-drive", $"if=pflash,format=raw,file={Escape(variables)}",
            // Told what to boot, and given no network driver, the firmware leaves the network alone. Else it polls it from its
            // timer interrupt, and after a reset under load an emulated machine may get nothing else done, for ever.
            "-drive", $"file={Escape(disk)},format=qcow2,if=none,id=disk,cache={(options.State is null ? "unsafe" : "writeback")},discard=unmap",
            "-device", "virtio-blk-pci,drive=disk,bootindex=0",
            "-device", "virtio-rng-pci", .. watchdog,
            .. options.Clock is { } clock ? (string[])["-rtc", $"base={clock:yyyy-MM-ddTHH:mm:ss}"] : [],
            "-netdev", $"user,id=net0,restrict={(options.Alone ? "on" : "off")},hostfwd=tcp:127.0.0.1:{options.Port}-:{options.PagePort}", "-device", "virtio-net-pci,netdev=net0,romfile=",
            "-qmp", $"unix:{Escape(Path.Combine(folder, "qmp"))},server=on,wait=off",
            .. options.Usb ? (string[])["-device", "qemu-xhci,id=usb"] : [],
            .. options.GuestShell ? GuestShell.Arguments(folder) : [],
        ];
    }

    /// <summary>QEMU's option syntax doubles commas.</summary>
    private static string Escape(string path) => path.Replace(",", ",,", StringComparison.Ordinal);

    private static Process Start(string architecture, IEnumerable<string> arguments)
    {
        var (program, install) = architecture == "arm64" ? ("qemu-system-aarch64", "apt-get install qemu-system-arm qemu-utils qemu-efi-aarch64") : ("qemu-system-x86_64", "apt-get install qemu-system-x86 qemu-utils ovmf");
        // In a session of its own, so that Ctrl-C reaches us and not QEMU.
        var start = new ProcessStartInfo("setsid", ["--wait", program, .. arguments]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        if (!ToolRunner.IsInstalled(program))
            throw new UserError($"QEMU for {architecture} is not installed.", install);
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new UserError($"QEMU cannot be started: {e.Message}", install, e);
        }
    }

    private void Pump(string? log, Action<byte[], int>? onSerial)
    {
        _ = Task.Run(async () =>
        {
            await using var file = log is null ? Stream.Null : new FileStream(log, FileMode.Append, FileAccess.Write, FileShare.Read);
            var buffer = new byte[8192];
            int read;
            while ((read = await _qemu.StandardOutput.BaseStream.ReadAsync(buffer)) > 0)
            {
                await file.WriteAsync(buffer.AsMemory(0, read));
                await file.FlushAsync();
                onSerial?.Invoke(buffer, read);
            }
        });
        _ = Task.Run(async () =>
        {
            while (await _qemu.StandardError.ReadLineAsync() is { } line)
                lock (_errors) _errors.AppendLine(line);
        });
    }

    /// <summary>Types on the serial console.</summary>
    public async Task TypeAsync(ReadOnlyMemory<byte> bytes)
    {
        await _qemu.StandardInput.BaseStream.WriteAsync(bytes);
        await _qemu.StandardInput.BaseStream.FlushAsync();
    }

    private static JsonObject Command(string name, JsonObject? arguments = null) => arguments is null ? new JsonObject { ["execute"] = name } : new JsonObject { ["execute"] = name, ["arguments"] = arguments };

    /// <summary>One QMP command (QEMU Machine Protocol: greeting, capabilities, command).</summary>
    private async Task CommandAsync(JsonObject command, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(_folder, "qmp")), cancellationToken);
        await using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream);
        await reader.ReadLineAsync(cancellationToken);
        foreach (var execute in new[] { Command("qmp_capabilities"), command })
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes($"{execute.ToJsonString()}\n"), cancellationToken);
            while (await reader.ReadLineAsync(cancellationToken) is { } line)
            {
                using var answer = JsonDocument.Parse(line);
                if (answer.RootElement.TryGetProperty("return", out _)) break;
                if (answer.RootElement.TryGetProperty("error", out var error)) throw new InvalidOperationException($"QEMU refuses {execute["execute"]}: {error}");
            }
        }
    }
}
