namespace Appliance.Supervisor.Boot;

/// <summary>Tells how this machine boots.</summary>
internal static class BootScheme
{
    /// <summary>Boot control of the disk that runs; to be disposed of where it can be.</summary>
    /// <exception cref="Appliance.Core.UserError">It does not run from a disk of ours.</exception>
    public static async Task<IBootControl> OpenAsync(string root, CancellationToken cancellationToken) =>
        TrybootControl.IsHere(root) ? await TrybootControl.OpenAsync(root, cancellationToken) : await SystemdBootControl.OpenAsync(root, cancellationToken);
}
