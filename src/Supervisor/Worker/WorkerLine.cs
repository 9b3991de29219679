using Appliance.Core;

namespace Appliance.Supervisor.Worker;

/// <summary>Lines of JSON on a connection that may carry other bytes after them: nothing is read past the line's end.</summary>
internal static class WorkerLine
{
    /// <summary>Longest request, and longest answer.</summary>
    public const int LongestRequest = 64 << 10, LongestAnswer = 16 << 20;

    /// <summary>Reads up to a line feed; null when the connection ends before the first byte.</summary>
    /// <exception cref="UserError">The line is too long, or has no end.</exception>
    public static async Task<byte[]?> ReadAsync(Stream stream, int longest, CancellationToken cancellationToken)
    {
        var line = new MemoryStream();
        var one = new byte[1];
        while (await stream.ReadAsync(one, cancellationToken) > 0)
        {
            if (one[0] == '\n') return line.ToArray();
            if (line.Length == longest) throw new UserError($"a line of more than {longest >> 10} KiB came over the worker's connection");
            line.WriteByte(one[0]);
        }
        return line.Length == 0 ? null : throw new UserError("the worker's connection ended in the middle of a line");
    }
}
