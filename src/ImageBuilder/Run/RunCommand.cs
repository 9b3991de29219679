using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using Appliance.Core;

namespace Appliance.ImageBuilder.Run;

/// <summary>The verb <c>appliance run</c>.</summary>
internal static class RunCommand
{
    private static readonly TimeSpan ShutdownLimit = TimeSpan.FromSeconds(90);

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var image = new Argument<string>("image") { Description = "disk.img, disk.img.zst, or the folder a build made." };
        var data = new Option<string?>("--data") { Description = "File that keeps the machine's state for the next run; without it everything is forgotten." };
        var memory = new Option<string>("--memory") { Description = "Memory of the machine.", DefaultValueFactory = _ => "2GiB" };
        var disk = new Option<string>("--disk") { Description = "Size of the machine's disk.", DefaultValueFactory = _ => "8GiB" };
        var processors = new Option<int>("--cpus") { Description = "Processors of the machine.", DefaultValueFactory = _ => 2 };
        var port = new Option<int>("--port") { Description = "Port on this machine that leads to the status page.", DefaultValueFactory = _ => 8443 };
        var pagePort = new Option<int>("--page-port") { Description = "Port at which the image's page listens (access.listen).", DefaultValueFactory = _ => 443 };
        var noKvm = new Option<bool>("--no-kvm") { Description = "Emulate even where the processor could do it itself." };
        var command = new Command("run", """
            Boots an image in a virtual machine: serial console here, status page on https://localhost:8443. Ctrl-C shuts it down.

            Examples:
              appliance run out/appliance_1.0.0_amd64
              appliance run out/appliance_1.0.0_amd64/disk.img --data state.qcow2 --memory 4GiB
            """)
        { image, data, memory, disk, processors, port, pagePort, noKvm };
        command.SetAction(async (result, cancellationToken) =>
        {
            await using var source = await BootableImage.OpenAsync(result.GetValue(image)!, cancellationToken);
            var wanted = result.GetValue(port);
            var free = FreePort(wanted);
            if (free != wanted) Console.Error.WriteLine($"Port {wanted} is taken; using {free}.");
            await RunAsync(new MachineOptions
            {
                Image = source.Path,
                State = result.GetValue(data) is { } file ? Path.GetFullPath(file) : null,
                Memory = Size("--memory", result.GetValue(memory)!),
                DiskSize = Size("--disk", result.GetValue(disk)!),
                Processors = result.GetValue(processors),
                Port = free,
                PagePort = result.GetValue(pagePort),
                AllowKvm = !result.GetValue(noKvm),
            }, cancellationToken);
            return 0;
        });
        return command;
    }

    /// <summary>The wanted port, or the next free one after it.</summary>
    internal static int FreePort(int wanted)
    {
        for (var port = wanted; port < 65536; port++)
        {
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // taken
            }
        }
        throw new UserError($"No port from {wanted} on is free.", "Choose a lower one with --port.");
    }

    private static long Size(string option, string text) =>
        ByteSize.TryParse(text, out var bytes) && bytes >= 64 << 20 ? bytes : throw new UserError($"{option} {text} is no size of 64MiB or more.", "Example: 2GiB");

    private static async Task RunAsync(MachineOptions options, CancellationToken cancellationToken)
    {
        var console = Console.OpenStandardOutput();
        await using var machine = await VirtualMachine.StartAsync(options, (bytes, length) => console.Write(bytes, 0, length), cancellationToken);
        Console.Error.WriteLine($"Booting ({(machine.IsAccelerated ? "KVM" : "emulated: allow a minute or two")}). Status page: https://localhost:{options.Port}/   Ctrl-C shuts the machine down.");
        using var _ = ForwardKeyboard(machine);
        try
        {
            await machine.Ended.WaitAsync(cancellationToken);
            if (machine.Errors.Length > 0) throw new UserError($"QEMU ended: {machine.Errors.Trim()}");
        }
        catch (OperationCanceledException)
        {
            await ShutDownAsync(machine);
        }
    }

    /// <summary>Asks the system to shut down; a second Ctrl-C, or too long a wait, ends it at once.</summary>
    private static async Task ShutDownAsync(VirtualMachine machine)
    {
        Console.Error.WriteLine($"\nShutting down (up to {ShutdownLimit.TotalSeconds:0} s; Ctrl-C again ends it at once)…");
        using var again = new CancellationTokenSource(ShutdownLimit);
        ConsoleCancelEventHandler stop = (_, e) => { e.Cancel = true; again.Cancel(); };
        Console.CancelKeyPress += stop;
        try
        {
            await machine.PowerDownAsync(again.Token);
            await machine.Ended.WaitAsync(again.Token);
            Console.Error.WriteLine("The machine is off.");
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("The machine was switched off without a shut-down.");
        }
        finally
        {
            Console.CancelKeyPress -= stop;
        }
    }

    private static RawTerminal? ForwardKeyboard(VirtualMachine machine) =>
        Console.IsInputRedirected ? null : new RawTerminal(bytes => machine.TypeAsync(bytes));
}
