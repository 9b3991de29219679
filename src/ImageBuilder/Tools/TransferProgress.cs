using System.Diagnostics;
using System.Text.Json.Nodes;
using Appliance.Core;

namespace Appliance.ImageBuilder.Tools;

/// <summary>Shows bytes, rate and time left on standard error, a few times a second on a terminal; lines of JSON on standard output for machines.</summary>
internal sealed class TransferProgress(bool json)
{
    private static readonly TimeSpan OnTerminal = TimeSpan.FromMilliseconds(200), InFile = TimeSpan.FromSeconds(2);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private string _phase = "";
    private TimeSpan _phaseStart, _shown;
    private bool _lineIsOpen;

    /// <summary>Time since it was made.</summary>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <summary>Shows how far a phase is; its end always.</summary>
    public void Show(string phase, long done, long total)
    {
        if (phase != _phase)
        {
            EndLine();
            (_phase, _phaseStart, _shown) = (phase, _clock.Elapsed, TimeSpan.Zero);
        }
        if (done < total && _clock.Elapsed - _shown < (Console.IsErrorRedirected || json ? InFile : OnTerminal)) return;
        _shown = _clock.Elapsed;
        var rate = done / Math.Max((_clock.Elapsed - _phaseStart).TotalSeconds, 0.001);
        if (json) Console.WriteLine(new JsonObject { ["event"] = "progress", ["phase"] = phase, ["bytes"] = done, ["total"] = total, ["bytesPerSecond"] = (long)rate, ["secondsLeft"] = total > done && rate > 0 ? (long)((total - done) / rate) : 0 }.ToJsonString());
        else
        {
            var line = $"{phase}: {ByteSize.Format(done)}{(total > 0 ? $" of {ByteSize.Format(total)}" : "")}, {ByteSize.Format((long)rate)}/s{(total > done ? $", {(total - done) / rate:0} s left" : "")}";
            Console.Error.Write(Console.IsErrorRedirected ? line + "\n" : $"\r{line,-70}");
            _lineIsOpen = !Console.IsErrorRedirected;
        }
    }

    /// <summary>Ends the line on a terminal, before something else is written.</summary>
    public void EndLine()
    {
        if (_lineIsOpen) Console.Error.WriteLine();
        _lineIsOpen = false;
    }
}
