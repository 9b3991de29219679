using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Appliance.Core;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Findings;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Journal;
using Appliance.Supervisor.Processes;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Web;
using Serilog;

namespace Appliance.Supervisor.Support;

/// <summary>
/// What somebody far away needs to see what is wrong with a device, in one tar.gz: what it says of itself, its journal, its settings
/// and the kernel's view, without secrets. What cannot be had is named in it and does not keep the rest away.
/// </summary>
internal sealed class SupportBundle(DeviceView device, HealthMonitor health, FindingList findings, UpdateEngine engine, UpdateSchedule schedule, JournalReader journal, SupervisorOptions options, TimeProvider time) : IDisposable
{
    private const int JournalLines = 10_000, LongestFile = 1 << 20, MostFiles = 200;
    private static readonly string[] Settings = ["etc/appliance", "usr/lib/appliance", "etc/rancher/k3s", "etc/systemd/network", "etc/hostname"];
    private static readonly string[] KernelFiles =
    [
        "proc/cmdline", "proc/uptime", "proc/loadavg", "proc/meminfo", "proc/mounts", "proc/partitions", "proc/net/route", "proc/net/dev", "proc/pressure/cpu", "proc/pressure/io",
        "proc/pressure/memory", "etc/os-release", "etc/resolv.conf",
    ];
    private static readonly ProcessCommand[] Commands = [new("systemctl", "list-units", "--all", "--no-pager", "--plain"), new("systemctl", "list-timers", "--all", "--no-pager"), new("networkctl", "status", "--all", "--no-pager")];
    private static readonly TimeSpan CommandLimit = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _one = new(1);

    /// <summary>A name for the file: device, version and moment.</summary>
    public string FileName => $"{Folder}.tar.gz";

    private string Folder => $"{device.Facts.Hostname}-{device.Facts.Image.Version}-{time.GetUtcNow().ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture)}";

    /// <summary>Writes it to a stream.</summary>
    /// <param name="to">Gets the tar.gz.</param>
    /// <param name="by">Who wants it, for the journal.</param>
    /// <param name="cancellationToken">Stops it; what was written is no whole archive then.</param>
    /// <exception cref="UserError">One is under way.</exception>
    /// <exception cref="IOException">The stream takes no more.</exception>
    public async Task WriteAsync(Stream to, string by, CancellationToken cancellationToken)
    {
        if (!await _one.WaitAsync(0, cancellationToken)) throw new UserError("A support bundle is being made already.", "Try again in a minute.");
        try
        {
            Log.Information("{Who} takes a support bundle", by);
            await using var packed = new GZipStream(to, CompressionLevel.Fastest, leaveOpen: true);
            await using var archive = new TarWriter(packed, TarEntryFormat.Pax);
            var (folder, missing) = (Folder, new List<string>());
            await foreach (var (name, text) in PartsAsync(missing, cancellationToken)) await AddAsync(name, text);
            if (missing.Count > 0) await AddAsync("missing.txt", string.Join('\n', missing) + "\n");

            async Task AddAsync(string name, string text) => await archive.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, $"{folder}/{name}")
            {
                DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)),
                Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                ModificationTime = time.GetUtcNow(),
            }, cancellationToken);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();

    private async IAsyncEnumerable<(string Name, string Text)> PartsAsync(List<string> missing, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return Json("status.json", device.Take(), StatusJson.Default.DeviceStatus);
        yield return Json("health.json", DeviceHealth.Of(health), StatusJson.Default.DeviceHealth);
        yield return Json("findings.json", DeviceFinding.AllOf(findings), StatusJson.Default.IReadOnlyListDeviceFinding);
        yield return Json("updates.json", DeviceUpdates.Of(engine, schedule), StatusJson.Default.DeviceUpdates);
        yield return Json("network.json", DeviceNetwork.Take(device), StatusJson.Default.DeviceNetwork);
        var content = new byte[LongestFile + 1];
        foreach (var path in Files(missing))
            if (Read(path, content, missing) is { } text) yield return ($"files/{path}", text);
        foreach (var command in Commands) yield return ($"commands/{command.Program}-{command.Arguments[0]}.txt", await RunAsync(command, missing, cancellationToken));
        foreach (var (name, boot) in new[] { ("this-boot", "0"), ("boot-before", "-1") })
            if (await JournalAsync(boot, missing, cancellationToken) is { } text) yield return ($"journal/{name}.log", text);
    }

    private static (string Name, string Text) Json<T>(string name, T value, JsonTypeInfo<T> type) => (name, Redaction.File(name, JsonSerializer.Serialize(value, type)));

    /// <summary>The kernel's view and the settings, each once, a limited number of them.</summary>
    private IEnumerable<string> Files(List<string> missing)
    {
        foreach (var path in KernelFiles) yield return path;
        var settings = Settings.SelectMany(path => Below(Path.Combine(options.Root, path), missing)).Order(StringComparer.Ordinal).ToList();
        foreach (var path in settings.Take(MostFiles)) yield return Path.GetRelativePath(options.Root, path);
        if (settings.Count > MostFiles) missing.Add($"{settings.Count - MostFiles} files of settings: there are more than {MostFiles}");
    }

    private static List<string> Below(string path, List<string> missing)
    {
        try
        {
            if (File.Exists(path)) return [path];
            return Directory.Exists(path) ? [.. Directory.EnumerateFiles(path, "*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint })] : [];
        }
        catch (IOException e)
        {
            missing.Add($"{path}: {e.Message}");
            return [];
        }
    }

    /// <summary>A text file without secrets; null for what cannot be read, is no text, or is larger than a setting is.</summary>
    private string? Read(string path, byte[] content, List<string> missing)
    {
        try
        {
            var full = Path.Combine(options.Root, path);
            if (!File.Exists(full)) return null;
            using var stream = File.OpenRead(full);
            // What /proc has says that it is empty.
            var length = stream.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
            if (length > LongestFile || content.AsSpan(0, length).Contains((byte)0)) return null;
            return Redaction.File(path, Encoding.UTF8.GetString(content, 0, length));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            missing.Add($"{path}: {e.Message}");
            return null;
        }
    }

    private static async Task<string> RunAsync(ProcessCommand command, List<string> missing, CancellationToken cancellationToken)
    {
        var lines = new StringBuilder();
        var outcome = await ProcessRunner.RunAsync(command with { Limit = CommandLimit, OnLine = line => lines.Append(Redaction.Line(line)).Append('\n') }, cancellationToken);
        if (outcome.TimedOut || outcome.ExitCode != 0) missing.Add($"{command.Program} {string.Join(' ', command.Arguments)}: {(outcome.TimedOut ? "it took too long" : $"exit code {outcome.ExitCode}")}");
        return lines.ToString();
    }

    private async Task<string?> JournalAsync(string boot, List<string> missing, CancellationToken cancellationToken)
    {
        try
        {
            return string.Concat((await journal.TailAsync(boot, JournalLines, cancellationToken)).Select(line => Redaction.Line(line) + "\n"));
        }
        catch (UserError e)
        {
            missing.Add($"the journal of boot {boot}: {e.Message}");
            return null;
        }
    }
}
