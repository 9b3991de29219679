using System.Text.Json;
using Appliance.Core;

namespace Appliance.Supervisor.Control;

/// <summary>The devices that somebody has logged in to from here: a file (0600) in the user's configuration (XDG Base Directory Specification).</summary>
internal sealed class KnownDevices
{
    private readonly string _path = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData, Environment.SpecialFolderOption.DoNotVerify), "appliance", "devices.json");

    /// <summary>A device, or null for one that is not known.</summary>
    public KnownDevice? Find(DeviceAddress address) => Read().GetValueOrDefault(address.Key);

    /// <summary>Takes up the log-in at a device.</summary>
    /// <exception cref="UserError">There is none, or it has ended.</exception>
    public DeviceConnection Connect(DeviceAddress address)
    {
        if (Find(address) is not { } device || device.Until <= DateTimeOffset.UtcNow) throw new UserError($"You are not logged in at {address.Named}.", $"appliancectl --host {address.Named} login");
        var connection = new DeviceConnection(address, device.Fingerprint);
        connection.Use(device.Token);
        return connection;
    }

    /// <summary>Keeps a device, in place of what was kept of it.</summary>
    public void Keep(DeviceAddress address, KnownDevice device) => Change(devices => devices[address.Key] = device);

    /// <summary>Forgets a device.</summary>
    public void Forget(DeviceAddress address) => Change(devices => devices.Remove(address.Key));

    private Dictionary<string, KnownDevice> Read()
    {
        try
        {
            return File.Exists(_path) ? JsonSerializer.Deserialize(File.ReadAllBytes(_path), KnownDeviceJson.Default.DictionaryStringKnownDevice) ?? [] : [];
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new UserError($"The file of known devices {_path} cannot be read: {e.Message}", "Mend it, or delete it and log in again.", e);
        }
    }

    private void Change(Action<Dictionary<string, KnownDevice>> change)
    {
        var devices = Read();
        change(devices);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
            DurableFile.Write(_path, JsonSerializer.SerializeToUtf8Bytes(devices, KnownDeviceJson.Default.DictionaryStringKnownDevice));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"The file of known devices {_path} cannot be written: {e.Message}", "XDG_CONFIG_HOME names another folder for it.", e);
        }
    }
}
