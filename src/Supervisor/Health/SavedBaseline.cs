using Appliance.Core;
using Appliance.Supervisor.Updates;
using Serilog;

namespace Appliance.Supervisor.Health;

/// <summary>
/// The machine before an update, in a file that both versions read: taken when the new one is in its slot and once more just
/// before the restart, used by the new one while it is on trial.
/// </summary>
/// <param name="path">The file.</param>
/// <param name="version">The version that runs.</param>
/// <param name="monitor">Knows how healthy the machine is.</param>
internal sealed class SavedBaseline(string path, string version, HealthMonitor monitor) : IBaseline
{
    /// <summary>What the running version is compared with; null when it is not on trial, or nothing usable was taken before it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="trialPath">The worker's record of the trial, which alone says whether there is one.</param>
    /// <param name="version">The version that runs.</param>
    /// <param name="bootId">This boot: the one that installed a version is not on trial, even when it is the same version again.</param>
    public static HealthBaseline? ReadForTrial(string path, string trialPath, string version, string bootId)
    {
        try
        {
            if (TrialRecord.TryRead(trialPath) is not { } trial || !trial.IsOf(version, bootId)) return null;
            if (HealthBaseline.TryRead(path) is { } baseline && baseline.Version == trial.From) return baseline;
            Log.Warning("Nothing is known of the machine's health before version {Version}: every check counts as it is declared", version);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            Log.Warning("The machine's health before version {Version} cannot be read, so every check counts as it is declared: {Reason}", version, e.Message);
        }
        return null;
    }

    /// <inheritdoc/>
    public void Take()
    {
        try
        {
            monitor.TakeBaseline(version).Write(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No reason to keep an update back: without it, the new version's checks count as they are declared.
            Log.Warning("The machine's health before the update could not be noted: {Reason}", e.Message);
        }
    }

    /// <inheritdoc/>
    public void Drop()
    {
        monitor.EndTrial();
        try
        {
            DurableFile.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without a trial's record nobody reads it.
            Log.Warning("The record of the machine's health before the update stays behind: {Reason}", e.Message);
        }
    }
}
