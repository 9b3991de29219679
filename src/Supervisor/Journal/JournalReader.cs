using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Appliance.Core;
using Appliance.Supervisor.Processes;

namespace Appliance.Supervisor.Journal;

/// <summary>Reads the journal through journalctl, one reader at a time, in bounded memory.</summary>
/// <param name="folder">Folder of the journal's files; null for the system's.</param>
internal sealed partial class JournalReader(string? folder = null) : IDisposable
{
    private const int LongestEntry = 16 << 10, LongestFollowed = 1 << 20, ExportLines = 100_000;

    /// <summary>The list of boots is one line; this is enough for some thousands.</summary>
    private const int LongestList = 1 << 20;

    /// <summary>journalctl gives null for what has more than 4096 characters.</summary>
    private const string TooLong = "(too long to be shown here; the download has it)";
    private const string Fields = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,_SYSTEMD_UNIT";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30), ExportLimit = TimeSpan.FromMinutes(10);

    private readonly SemaphoreSlim _one = new(1);

    /// <summary>The lines, the oldest first.</summary>
    /// <exception cref="UserError">The query makes no sense, or the journal cannot be read.</exception>
    public async Task<IReadOnlyList<JournalLine>> ReadAsync(JournalQuery query, CancellationToken cancellationToken)
    {
        var lines = new List<JournalLine>();
        await RunAsync([.. Arguments(query), $"--lines={Math.Clamp(query.Lines, 1, JournalQuery.MostLines).ToString(CultureInfo.InvariantCulture)}", "--output=json", $"--output-fields={Fields}"], text =>
        {
            if (Parse(text) is { } line) lines.Add(line.Line);
        }, LongestEntry, cancellationToken);
        // Looking for a text, journalctl begins at the end.
        if (lines.Count > 1 && lines[0].At > lines[^1].At) lines.Reverse();
        return lines;
    }

    /// <summary>The boots, the oldest first.</summary>
    /// <exception cref="UserError">The journal cannot be read.</exception>
    public async Task<IReadOnlyList<JournalBoot>> BootsAsync(CancellationToken cancellationToken)
    {
        var text = new System.Text.StringBuilder();
        await RunAsync(["--list-boots", "--output=json"], line => text.Append(line), LongestList, cancellationToken);
        try
        {
            using var list = JsonDocument.Parse(text.Length == 0 ? "[]" : text.ToString());
            return list.RootElement.EnumerateArray().Select(boot => new JournalBoot(boot.GetProperty("boot_id").GetString()!, Moment(boot.GetProperty("first_entry").GetInt64()), Moment(boot.GetProperty("last_entry").GetInt64()))).ToList();
        }
        catch (JsonException e)
        {
            throw new UserError($"The journal's list of boots cannot be read: {e.Message}", "Is it too long? journalctl --vacuum-time shortens the journal.");
        }
    }

    /// <summary>The last lines of a boot as text, the oldest first.</summary>
    /// <exception cref="UserError">The journal cannot be read.</exception>
    public async Task<IReadOnlyList<string>> TailAsync(string boot, int lines, CancellationToken cancellationToken)
    {
        var tail = new List<string>();
        await RunAsync([.. Arguments(new JournalQuery { Boot = boot }), $"--lines={lines.ToString(CultureInfo.InvariantCulture)}", "--output=short-iso"], tail.Add, LongestEntry, cancellationToken);
        return tail;
    }

    /// <summary>Gives every line from this boot's first on, or after a cursor, and then every new one as it is written.</summary>
    /// <param name="cursor">Where it was read to, or null.</param>
    /// <param name="onLine">Gets a line and its cursor, one at a time.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="UserError">The journal cannot be followed.</exception>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public async Task FollowAsync(string? cursor, Action<JournalLine, string> onLine, CancellationToken cancellationToken)
    {
        var command = Command(["--follow", "--no-tail", "--all", cursor is null ? "--boot=0" : $"--after-cursor={cursor}", "--output=json", $"--output-fields={Fields}"]) with { LongestLine = LongestFollowed, Limit = Timeout.InfiniteTimeSpan, OnLine = Take };
        var outcome = await ProcessRunner.RunAsync(command, cancellationToken);
        throw new UserError($"journalctl ended with exit code {outcome.ExitCode}{(outcome.Tail.Count > 0 ? $": {outcome.Tail[^1]}" : "")}");

        void Take(string text)
        {
            if (Parse(text) is { } line) onLine(line.Line, line.Cursor);
        }
    }

    /// <summary>Writes lines as text to a stream: all that have a text in them, or the last 100,000.</summary>
    /// <exception cref="UserError">The query makes no sense.</exception>
    public Task ExportAsync(JournalQuery query, Stream to, CancellationToken cancellationToken) =>
        ProcessRunner.CopyAsync(Command([.. Arguments(query), .. query.Text is null ? [$"--lines={ExportLines.ToString(CultureInfo.InvariantCulture)}"] : Array.Empty<string>(), "--output=short-iso-precise"]) with { Limit = ExportLimit }, to, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();

    /// <summary>The arguments that choose lines. A text is looked for as it is: \Q…\E takes the meaning from every character in between (PCRE2).</summary>
    private static IEnumerable<string> Arguments(JournalQuery query)
    {
        if (query.Unit is { } unit) yield return Unit().IsMatch(unit) ? $"--unit={unit}" : throw new UserError($"\"{unit}\" is no name of a unit.", "Example: k3s.service");
        if (query.Priority is { } priority) yield return priority is >= 0 and <= 7 ? $"--priority={priority.ToString(CultureInfo.InvariantCulture)}" : throw new UserError("A priority is a number from 0 (emergency) to 7 (debug).");
        // The kernel writes its id with dashes, which journalctl does not take.
        if (query.Boot is { } boot) yield return Boot().IsMatch(boot) ? $"--boot={(boot.Length < 32 ? boot : boot.Replace("-", "", StringComparison.Ordinal))}" : throw new UserError($"\"{boot}\" is no boot.", "It is 0 for this one, -1 for the one before, or an id.");
        if (query.Text is { } text)
        {
            yield return "--case-sensitive=no";
            yield return $"--grep=\\Q{text.Replace("\\E", "\\E\\\\E\\Q", StringComparison.Ordinal)}\\E";
        }
    }

    private async Task RunAsync(IReadOnlyList<string> arguments, Action<string> onLine, int longestLine, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            var outcome = await ProcessRunner.RunAsync(Command(arguments) with { OnLine = onLine, LongestLine = longestLine, Limit = Limit }, cancellationToken);
            if (outcome.TimedOut) throw new UserError("Reading the journal took too long.", "Ask for fewer lines, or for one boot.");
            // 1 with nothing printed is "no such line" when a text was looked for.
            if (outcome.ExitCode != 0 && outcome.Tail.Count > 0) throw new UserError($"The journal cannot be read: {outcome.Tail[^1]}");
        }
        finally
        {
            _one.Release();
        }
    }

    private ProcessCommand Command(IReadOnlyList<string> arguments) => new("journalctl", [.. arguments, "--no-pager", "--quiet", .. folder is null ? Array.Empty<string>() : [$"--directory={folder}"]]);

    private static (JournalLine Line, string Cursor)? Parse(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var entry = document.RootElement;
            return (new JournalLine(Moment(long.Parse(Text(entry, "__REALTIME_TIMESTAMP")!, CultureInfo.InvariantCulture)), int.TryParse(Text(entry, "PRIORITY"), CultureInfo.InvariantCulture, out var priority) ? priority : 6,
                Text(entry, "SYSLOG_IDENTIFIER") ?? Text(entry, "_COMM") ?? "", Text(entry, "_SYSTEMD_UNIT"), Text(entry, "MESSAGE") ?? TooLong), Text(entry, "__CURSOR") ?? "");
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentNullException)
        {
            return null; // cut, because it was too long, or a message of journalctl itself
        }
    }

    /// <summary>A field; what is not text is a list of bytes (systemd's JSON format), and of several values one is taken.</summary>
    private static string? Text(JsonElement entry, string name) => !entry.TryGetProperty(name, out var value) ? null : value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Array when value.GetArrayLength() > 0 && value[0].ValueKind == JsonValueKind.Number => System.Text.Encoding.UTF8.GetString(value.EnumerateArray().Select(part => part.GetByte()).ToArray()),
        JsonValueKind.Array when value.GetArrayLength() > 0 && value[0].ValueKind == JsonValueKind.String => value[0].GetString(),
        _ => null,
    };

    private static DateTimeOffset Moment(long microseconds) => DateTimeOffset.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond);

    [GeneratedRegex("^[A-Za-z0-9:_.\\\\@][A-Za-z0-9:_.\\\\@-]{0,254}$")]
    private static partial Regex Unit();

    [GeneratedRegex("^(-?[0-9]{1,4}|[0-9a-f-]{32,36})$")]
    private static partial Regex Boot();
}
