using Appliance.Core;
using Appliance.Supervisor.Journal;
using Appliance.Supervisor.Updates;
using Serilog;

namespace Appliance.Supervisor.Device;

/// <summary>The boot the engine runs in, on a real device.</summary>
internal sealed class DeviceBoot(DeviceView view, JournalReader journal, string root, string trialPath) : IDeviceBoot
{
    private const int JournalLines = 80, LinesRead = 1000, LongestLine = 300;

    /// <summary>What appliance-trial-failed.service says; after it come the lines of a shutdown, which tell nothing.</summary>
    private const string GivenUp = "this boot did not become healthy";

    /// <inheritdoc/>
    public string Version => view.Facts.Image.Version;

    /// <inheritdoc/>
    public string BootId { get; } = ReadBootId(root);

    /// <inheritdoc/>
    public BootState BootState => view.BootState;

    /// <inheritdoc/>
    public void MarkBlessed() => view.MarkBlessed();

    /// <inheritdoc/>
    public TrialRecord? ReadTrial()
    {
        try
        {
            return TrialRecord.TryRead(trialPath);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Log.Error("The record of the trial cannot be used: {Reason}", e.Message);
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ReadJournalTailAsync(PendingUpdate pending, CancellationToken cancellationToken)
    {
        try
        {
            var boot = pending.Boots.Count > 0 ? pending.Boots[^1].BootId : await LastBootSinceAsync(pending, cancellationToken);
            return boot is null ? [] : Tail(await journal.TailAsync(boot, LinesRead, cancellationToken));
        }
        catch (UserError e)
        {
            Log.Warning("The journal of the failed boot could not be read: {Reason}", e.Message);
            return [];
        }
    }

    /// <summary>The last lines of a failed boot, before it was shut down for that.</summary>
    public static IReadOnlyList<string> Tail(IReadOnlyList<string> lines)
    {
        var end = lines.ToList().FindLastIndex(line => line.Contains(GivenUp, StringComparison.Ordinal));
        return lines.Take(end < 0 ? lines.Count : end + 1).TakeLast(JournalLines).Select(line => line.Length > LongestLine ? line[..LongestLine] : line).ToList();
    }

    /// <summary>The last boot between the one that installed the version and this one: one that left a journal and no supervisor.</summary>
    private async Task<string?> LastBootSinceAsync(PendingUpdate pending, CancellationToken cancellationToken)
    {
        var boots = (await journal.BootsAsync(cancellationToken)).Select(boot => boot.Id).ToList();
        var installed = boots.FindIndex(boot => Same(boot, pending.InstalledBy));
        return installed < 0 ? null : boots.Skip(installed + 1).LastOrDefault(boot => !Same(boot, BootId));

        static bool Same(string one, string other) => one.Replace("-", "", StringComparison.Ordinal) == other.Replace("-", "", StringComparison.Ordinal);
    }

    /// <summary>The kernel's id of this boot; empty when it gives none.</summary>
    public static string ReadBootId(string root)
    {
        var path = Path.Combine(root, "proc/sys/kernel/random/boot_id");
        return File.Exists(path) ? File.ReadAllText(path).Trim() : "";
    }
}
