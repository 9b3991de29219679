using Appliance.Core;
using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Boot;

/// <summary>Tells how this machine boots.</summary>
internal static class BootScheme
{
    /// <summary>Boot control of the disk that runs; to be disposed of where it can be.</summary>
    /// <exception cref="UserError">It does not run from a disk of ours.</exception>
    public static async Task<IBootControl> OpenAsync(string root, CancellationToken cancellationToken) =>
        TrybootControl.IsHere(root) ? await TrybootControl.OpenAsync(root, cancellationToken) : await SystemdBootControl.OpenAsync(root, cancellationToken);

    /// <summary>The disk that runs.</summary>
    /// <exception cref="UserError">It cannot be told.</exception>
    public static string FindDisk(string root) =>
        RunningSlot.Read(root).FindDisk(root) ?? throw new UserError("The disk of the running system cannot be told.", "Slots are there only where the system was booted from an image's disk.");
}
