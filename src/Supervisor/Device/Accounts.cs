using System.Globalization;

namespace Appliance.Supervisor.Device;

/// <summary>The accounts of an image, <c>/etc/passwd</c> (passwd(5)).</summary>
internal static class Accounts
{
    /// <summary>User and group id of an account; null for none.</summary>
    /// <param name="root">Root of the files.</param>
    /// <param name="name">Its name.</param>
    public static (uint User, uint Group)? Find(string root, string name) =>
        File.ReadLines(Path.Join(root, "/etc/passwd")).Select(line => line.Split(':')).FirstOrDefault(fields => fields[0] == name) is { } found
            ? (uint.Parse(found[2], CultureInfo.InvariantCulture), uint.Parse(found[3], CultureInfo.InvariantCulture)) : null;
}
