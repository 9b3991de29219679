using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Appliance.Supervisor.Updates;
using Serilog;

namespace Appliance.Supervisor.Device;

/// <summary>The boot the engine runs in, on a real device.</summary>
internal sealed class DeviceBoot(DeviceView view, string root, string trialPath) : IDeviceBoot
{
    private const int JournalLines = 80, LinesRead = 1000, LongestLine = 300;

    /// <summary>What appliance-trial-failed.service says; after it come the lines of a shutdown, which tell nothing.</summary>
    private const string GivenUp = "this boot did not become healthy";

    private static readonly TimeSpan JournalLimit = TimeSpan.FromSeconds(20);

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
            if (boot is null) return [];
            var text = await JournalAsync(["--boot", boot.Replace("-", "", StringComparison.Ordinal), "--lines", LinesRead.ToString(CultureInfo.InvariantCulture), "--output", "short-iso"], cancellationToken);
            return Tail(text);
        }
        catch (Exception e) when (e is IOException or JsonException or InvalidOperationException or System.ComponentModel.Win32Exception or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            Log.Warning("The journal of the failed boot could not be read: {Reason}", e.Message);
            return [];
        }
    }

    /// <summary>The last lines of a failed boot, before it was shut down for that.</summary>
    public static IReadOnlyList<string> Tail(string journal)
    {
        var lines = journal.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var end = Array.FindLastIndex(lines, line => line.Contains(GivenUp, StringComparison.Ordinal));
        return lines.Take(end < 0 ? lines.Length : end + 1).TakeLast(JournalLines).Select(line => line.Length > LongestLine ? line[..LongestLine] : line).ToList();
    }

    /// <summary>The last boot between the one that installed the version and this one: one that left a journal and no supervisor.</summary>
    private async Task<string?> LastBootSinceAsync(PendingUpdate pending, CancellationToken cancellationToken)
    {
        var text = await JournalAsync(["--list-boots", "--output", "json"], cancellationToken);
        using var list = JsonDocument.Parse(text.Length == 0 ? "[]" : text);
        var boots = list.RootElement.EnumerateArray().Select(boot => boot.GetProperty("boot_id").GetString()!).ToList();
        var installed = boots.FindIndex(boot => Same(boot, pending.InstalledBy));
        return installed < 0 ? null : boots.Skip(installed + 1).LastOrDefault(boot => !Same(boot, BootId));

        static bool Same(string one, string other) => one.Replace("-", "", StringComparison.Ordinal) == other.Replace("-", "", StringComparison.Ordinal);
    }

    private static async Task<string> JournalAsync(IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(JournalLimit);
        using var process = Process.Start(new ProcessStartInfo("journalctl", [.. arguments, "--no-pager", "--quiet"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        await using var registration = limit.Token.Register(process.Kill);
        var errors = process.StandardError.ReadToEndAsync(limit.Token);
        var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        return process.ExitCode == 0 ? output : throw new IOException((await errors).Trim());
    }

    /// <summary>The kernel's id of this boot; empty when it gives none.</summary>
    public static string ReadBootId(string root)
    {
        var path = Path.Combine(root, "proc/sys/kernel/random/boot_id");
        return File.Exists(path) ? File.ReadAllText(path).Trim() : "";
    }
}
