using System.Text.Json;

namespace Appliance.Supervisor.State;

/// <summary>What going back costs, for those who look: what the last restore discarded, and what one would discard now.</summary>
/// <param name="snapshots">The snapshots.</param>
/// <param name="version">The version that runs.</param>
internal sealed class StateLosses(StateSnapshots snapshots, string version)
{
    /// <summary>What the last restore discarded; null when there was none since a version was last kept, or its report is damaged.</summary>
    public RestoreReport? Last => Readable(snapshots.LastRestore);

    /// <summary>What is put back when the running version is not kept; null when nothing would be.</summary>
    public StateSnapshot? Next => Readable(() => snapshots.List().FirstOrDefault(snapshot => snapshot.Version == version));

    /// <summary>A record that cannot be read is the verb <c>state</c>'s to complain of; the page has to come up all the same.</summary>
    private static T? Readable<T>(Func<T?> read) where T : class
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is JsonException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Serilog.Log.Debug("What a restore discards cannot be told: {Reason}", e.Message);
            return null;
        }
    }
}
