using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Supervisor.Tests.Journal;

/// <summary>A folder with a real journal of two boots, made by systemd-journal-remote from the export format.</summary>
internal sealed class JournalFolder : IDisposable
{
    public const string FirstBoot = "0123456789abcdef0123456789abcdef", ThisBoot = "1123456789abcdef0123456789abcdef";

    public static readonly DateTimeOffset Begin = new(2026, 11, 20, 10, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("journal");
    private readonly StringBuilder _entries = new();
    private int _seconds;

    public string Path => _folder.FullName;

    /// <summary>Adds an entry a second after the one before.</summary>
    public JournalFolder With(string boot, int priority, string source, string message)
    {
        var at = Begin.AddSeconds(_seconds++);
        var microseconds = (at.ToUnixTimeMilliseconds() * 1000).ToString(CultureInfo.InvariantCulture);
        _entries.Append(CultureInfo.InvariantCulture, $"__REALTIME_TIMESTAMP={microseconds}\n__MONOTONIC_TIMESTAMP={_seconds * 1000}\n_BOOT_ID={boot}\n_MACHINE_ID=0123456789abcdef0123456789abcdee\n");
        _entries.Append(CultureInfo.InvariantCulture, $"PRIORITY={priority}\nSYSLOG_IDENTIFIER={source}\n_SYSTEMD_UNIT={source}.service\nMESSAGE={message}\n\n");
        return this;
    }

    /// <summary>Writes the journal's file, or what is new to its end.</summary>
    public JournalFolder Write()
    {
        const string program = "/lib/systemd/systemd-journal-remote";
        using var process = Process.Start(new ProcessStartInfo(program, ["--output", System.IO.Path.Combine(Path, "test.journal"), "-"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardInput.Write(_entries);
        _entries.Clear();
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
        return this;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
