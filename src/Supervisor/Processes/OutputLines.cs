namespace Appliance.Supervisor.Processes;

/// <summary>Takes a program's output apart into lines in bounded memory, however much it prints and whether it breaks lines or not.</summary>
internal sealed class OutputLines(ProcessCommand command)
{
    private readonly Lock _lock = new();
    private readonly Queue<string> _tail = new();

    /// <summary>The last lines so far.</summary>
    public IReadOnlyList<string> Tail
    {
        get
        {
            lock (_lock) return [.. _tail];
        }
    }

    /// <summary>Reads to the end of a stream.</summary>
    public async Task ReadAsync(StreamReader reader)
    {
        var (buffer, line) = (new char[4096], new System.Text.StringBuilder());
        int read;
        while ((read = await reader.ReadAsync(buffer)) > 0)
        {
            foreach (var character in buffer.AsSpan(0, read))
            {
                if (character == '\n') Take(line);
                else if (line.Length < command.LongestLine) line.Append(character);
            }
        }
        if (line.Length > 0) Take(line);
    }

    private void Take(System.Text.StringBuilder line)
    {
        var text = line.ToString().TrimEnd();
        line.Clear();
        if (text.Length == 0) return;
        lock (_lock)
        {
            _tail.Enqueue(text);
            if (_tail.Count > command.TailLines) _tail.Dequeue();
            command.OnLine?.Invoke(text);
        }
    }
}
