using System.Text.Json.Nodes;
using Appliance.Core;

namespace Appliance.Supervisor.Control;

/// <summary>Shows a job on a terminal as one line that changes, else as a line for every phase and every tenth; as JSON lines for machines.</summary>
internal sealed class ProgressText(TextWriter output, bool json)
{
    private readonly bool _terminal = !json && !Console.IsErrorRedirected;
    private string _last = "";

    /// <summary>Shows a job.</summary>
    public void Show(JsonObject job)
    {
        if ((string?)job["state"] != "running") return;
        if (json)
        {
            output.WriteLine(job.ToJsonString());
            return;
        }
        var (done, total) = ((long)(ulong)job["done"]!, (long)(ulong)job["total"]!);
        var phase = (string?)job["phase"] ?? "";
        var text = total == 0 ? phase
            : $"{phase} {100 * done / total} %  {ByteSize.Format(done)} of {ByteSize.Format(total)}, {ByteSize.Format((long)(ulong)job["downloaded"]!)} downloaded, {ByteSize.Format((long)(ulong)job["bytesPerSecond"]!)}/s{Left((double)job["secondsLeft"]!)}";
        if (_terminal) output.Write($"\r{text,-100}");
        else if (Step(phase, done, total) is var step && step != _last)
        {
            _last = step;
            output.WriteLine(text);
        }
    }

    /// <summary>Leaves the line.</summary>
    public void End()
    {
        if (_terminal) output.Write($"\r{"",-100}\r");
    }

    private static string Step(string phase, long done, long total) => $"{phase} {(total == 0 ? 0 : 10 * done / total)}";

    private static string Left(double seconds) => seconds < 0 ? "" : $", {TimeSpan.FromSeconds(seconds):mm\\:ss} left";
}
