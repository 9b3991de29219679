using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Control;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Updates;
using Serilog;

namespace Appliance.Supervisor.Usb;

/// <summary>The verb <c>usb</c>: appliance-usb@.service runs it for every file system on a stick that is put in.</summary>
internal static class UsbVerb
{
    /// <summary>Exit code 0 when there was nothing to do or it was done; 1 when the stick or its bundle was refused.</summary>
    /// <param name="name">The kernel's name of the block device.</param>
    /// <param name="options">Places.</param>
    /// <param name="cancellationToken">Stops the installation.</param>
    /// <exception cref="UserError">The name is none, or the update settings cannot be used.</exception>
    public static async Task<int> RunAsync(string name, SupervisorOptions options, CancellationToken cancellationToken)
    {
        if (!ImageSettings.ReadUpdates(options.Root).Usb) return 0;
        if (name.Length == 0 || !name.All(char.IsAsciiLetterOrDigit)) throw new UserError($"\"{name}\" is no name of a block device.", "Example: appliance-supervisor usb sda1");
        Daemon.StartLogging();
        try
        {
            // A device that boots from USB would look for updates on itself.
            if (DiskOf(options.Root, name) is { } disk && disk == RunningSlot.Read(options.Root).FindDisk(options.Root)) return 0;
            using var stick = StickMount.Open($"/dev/{name}");
            await using var bus = new BusConnection(options.BusAddress);
            return await new StickUpdate(bus, TimeProvider.System).RunAsync(name, stick.Folder, cancellationToken) ? 0 : 1;
        }
        catch (Exception e) when (e is UserError or IOException or UnauthorizedAccessException or BusException or DeviceFailedException)
        {
            Log.Warning("The USB stick {Device} brings no update: {Reason}", name, e.Message);
            return 1;
        }
        finally
        {
            await Log.CloseAndFlushAsync();
        }
    }

    private static string? DiskOf(string root, string name) => (RunningSlot.Unknown with { Partition = name }).FindDisk(root);
}
