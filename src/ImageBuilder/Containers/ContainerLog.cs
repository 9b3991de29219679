using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.ImageBuilder.Pipeline;
using Docker.DotNet;

namespace Appliance.ImageBuilder.Containers;

/// <summary>
/// Reads what a build in a container says (the JSON lines of <c>appliance build --json</c>) and shows it as a build on this
/// machine is shown: as a table on a terminal, as lines or as JSON.
/// </summary>
/// <param name="observer">Is told what happens.</param>
/// <param name="translate">Puts this machine's paths into a text.</param>
internal sealed class ContainerLog(IBuildObserver observer, Func<string, string> translate)
{
    private const int BufferSize = 64 << 10, TailLines = 40;
    private readonly Queue<string> _errors = new();

    /// <summary>The last lines on standard error.</summary>
    public string Errors => string.Join('\n', _errors);

    /// <summary>Reads until the container ends.</summary>
    public async Task ReadAsync(MultiplexedStream stream, CancellationToken cancellationToken)
    {
        var buffer = new byte[BufferSize];
        var (output, errors) = (new LineBuffer(Event), new LineBuffer(Error));
        while (await stream.ReadOutputAsync(buffer, 0, buffer.Length, cancellationToken) is { EOF: false } read)
            (read.Target == MultiplexedStream.TargetStream.StandardError ? errors : output).Add(buffer.AsSpan(0, read.Count));
        output.End();
        errors.End();
    }

    /// <summary>Takes one line of standard output.</summary>
    public void Event(string line)
    {
        JsonObject? fact;
        try
        {
            fact = JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            fact = null;
        }
        var stage = (string?)fact?["stage"] ?? "";
        switch ((string?)fact?["event"])
        {
            case "stage" when (string?)fact["state"] is { } state:
                var duration = TimeSpan.FromSeconds((double?)fact["seconds"] ?? 0);
                if (state == "started") observer.Started(stage);
                else if (state == "failed") observer.Failed(stage, duration);
                else observer.Finished(stage, duration, cached: state == "cached");
                break;
            case "output":
                observer.Output(stage, translate((string?)fact["line"] ?? ""));
                break;
            case "progress":
                observer.Progress(stage, (long?)fact["bytes"] ?? 0, (long?)fact["total"] ?? 0);
                break;
            case "warning":
                observer.Warning(translate((string?)fact["message"] ?? ""));
                break;
            case "done":
                break; // where the results are here, is said when they are
            default:
                // Not of the program: what the container's start has to say.
                if (line.Length > 0) Error(line);
                break;
        }
    }

    private void Error(string line)
    {
        _errors.Enqueue(translate(line));
        if (_errors.Count > TailLines) _errors.Dequeue();
    }

    /// <summary>Lines out of pieces that end anywhere.</summary>
    private sealed class LineBuffer(Action<string> onLine)
    {
        private readonly List<byte> _open = [];

        public void Add(ReadOnlySpan<byte> bytes)
        {
            while (bytes.IndexOf((byte)'\n') is >= 0 and var end)
            {
                _open.AddRange(bytes[..end]);
                Take();
                bytes = bytes[(end + 1)..];
            }
            _open.AddRange(bytes);
        }

        public void End()
        {
            if (_open.Count > 0) Take();
        }

        private void Take()
        {
            onLine(Encoding.UTF8.GetString([.. _open]).TrimEnd('\r'));
            _open.Clear();
        }
    }
}
