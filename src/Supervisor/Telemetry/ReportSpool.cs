using System.Globalization;
using Appliance.Core;
using Serilog;

namespace Appliance.Supervisor.Telemetry;

/// <summary>
/// Reports in line for the collector, on the disk, so that neither a lost network nor a power cut loses them. Above the cap the oldest
/// go, and are counted.
/// </summary>
internal sealed class ReportSpool
{
    private readonly Lock _lock = new();
    private readonly string _folder;
    private readonly long _cap;
    private readonly LinkedList<SpooledReport> _line = [];
    private long _next;

    /// <summary>Opens a folder, and takes up what waits in it.</summary>
    public ReportSpool(string folder, long cap)
    {
        (_folder, _cap) = (folder, cap);
        Directory.CreateDirectory(folder);
        foreach (var path in Directory.EnumerateFiles(folder, ".*.tmp")) File.Delete(path); // cut off by a power cut
        foreach (var report in Directory.EnumerateFiles(folder).Select(Parse).OfType<SpooledReport>().OrderBy(report => report.Number)) _line.AddLast(report);
        _next = _line.Last is { } last ? last.Value.Number + 1 : 1;
        Bytes = _line.Sum(report => report.Bytes);
        while (Bytes > cap) Drop();
    }

    /// <summary>Raised when there is one more.</summary>
    public event Action? Added;

    /// <summary>Size of what waits.</summary>
    public long Bytes { get; private set; }

    /// <summary>Reports that were taken by the collector since the start.</summary>
    public long Sent { get; private set; }

    /// <summary>Reports that were lost since the start: there was no room, or the collector cannot read them.</summary>
    public long Dropped { get; private set; }

    /// <summary>The first in line, or null.</summary>
    public SpooledReport? Oldest
    {
        get { lock (_lock) return _line.First?.Value; }
    }

    /// <summary>Puts one at the end of the line; it is on the disk when this returns.</summary>
    public void Add(string kind, ReadOnlySpan<byte> content)
    {
        lock (_lock)
        {
            if (content.Length > _cap)
            {
                Dropped++;
                return;
            }
            while (Bytes + content.Length > _cap) Drop();
            var report = new SpooledReport(_next, kind, Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{_next:D12}.{kind}.gz")), content.Length);
            try
            {
                DurableFile.Write(report.Path, content);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (Dropped++ % 100 == 0) Log.Warning("A report could not be kept for the collector ({Count} lost so far): {Reason}", Dropped, e.Message);
                return;
            }
            _next++;
            _line.AddLast(report);
            Bytes += report.Bytes;
        }
        Added?.Invoke();
    }

    /// <summary>Takes one out of the line.</summary>
    /// <param name="report">Which; it may have gone meanwhile, for want of room.</param>
    /// <param name="taken">Whether the collector has it.</param>
    public void Remove(SpooledReport report, bool taken)
    {
        lock (_lock)
        {
            if (taken) Sent++;
            if (!_line.Remove(report)) return;
            if (!taken) Dropped++;
            Bytes -= report.Bytes;
            Delete(report);
        }
    }

    private void Drop()
    {
        var oldest = _line.First!.Value;
        _line.RemoveFirst();
        Bytes -= oldest.Bytes;
        Dropped++;
        Delete(oldest);
    }

    private static void Delete(SpooledReport report)
    {
        try
        {
            File.Delete(report.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.Warning("The report {Path} could not be removed: {Reason}", report.Path, e.Message);
        }
    }

    private static SpooledReport? Parse(string path) =>
        Path.GetFileName(path).Split('.') is [var number, var kind, "gz"] && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var place) ? new SpooledReport(place, kind, path, new FileInfo(path).Length) : null;
}
