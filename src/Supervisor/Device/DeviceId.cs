using System.Security.Cryptography;
using System.Text;

namespace Appliance.Supervisor.Device;

/// <summary>The number that a device is told apart by: made of its machine id, which itself is not to be shown around (machine-id(5)).</summary>
internal static class DeviceId
{
    /// <summary>The number of the device with this root folder: 32 hexadecimal digits, the same as long as its data partition lives.</summary>
    /// <exception cref="IOException">It has no machine id.</exception>
    public static string Read(string root) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes("appliance-device:" + File.ReadAllText(Path.Combine(root, "etc/machine-id")).Trim())))[..32];
}
