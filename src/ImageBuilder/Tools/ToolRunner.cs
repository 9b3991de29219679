using System.ComponentModel;
using System.Diagnostics;
using Appliance.Core;

namespace Appliance.ImageBuilder.Tools;

/// <summary>The one way this program starts another: argument lists, bounded capture, killed with its children on cancel.</summary>
internal static class ToolRunner
{
    private const int TailLines = 40;
    private static readonly TimeSpan GraceForChildren = TimeSpan.FromSeconds(10);

    /// <summary>Runs a program to its end and returns what it wrote to standard output (its last <see cref="TailLines"/> lines).</summary>
    /// <param name="file">Program name or path.</param>
    /// <param name="arguments">Arguments, never passed through a shell.</param>
    /// <param name="environment">Variables set beside the inherited ones; a null value removes one.</param>
    /// <param name="onLine">Called with every line of output.</param>
    /// <param name="onOutput">Called with every line of standard output alone.</param>
    /// <param name="cancellationToken">Ends the program and its children.</param>
    /// <exception cref="ToolFailure">The exit code was not 0.</exception>
    /// <exception cref="UserError">The program is not installed.</exception>
    public static async Task<string> RunAsync(
        string file,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        Action<string>? onLine = null,
        Action<string>? onOutput = null,
        CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>()) start.Environment[name] = value;

        using var process = new Process { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw new UserError($"{file} cannot be started: {e.Message}", $"Install the package that holds {file}; ./build.sh lists all that are needed.", e);
        }
        process.StandardInput.Close();

        var output = new Queue<string>();
        var tail = new Queue<string>();
        await using var registration = cancellationToken.Register(() => Stop(process));
        await Task.WhenAll(
            ReadLines(process.StandardOutput, line =>
            {
                Keep(output, line);
                onOutput?.Invoke(line);
            }),
            ReadLines(process.StandardError, null));
        await process.WaitForExitAsync(CancellationToken.None);
        cancellationToken.ThrowIfCancellationRequested();
        if (process.ExitCode != 0) throw new ToolFailure($"{Path.GetFileName(file)} {string.Join(' ', start.ArgumentList)}", process.ExitCode, string.Join('\n', tail));
        return string.Join('\n', output);

        async Task ReadLines(StreamReader reader, Action<string>? keep)
        {
            while (await reader.ReadLineAsync(CancellationToken.None) is { } line)
            {
                lock (tail) Keep(tail, line);
                keep?.Invoke(line);
                onLine?.Invoke(line);
            }
        }
    }

    /// <summary>True when a program is found the way <see cref="RunAsync"/> finds it.</summary>
    public static bool IsInstalled(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    private static void Keep(Queue<string> lines, string line)
    {
        lines.Enqueue(line);
        if (lines.Count > TailLines) lines.Dequeue();
    }

    private static void Stop(Process process)
    {
        // Of a sandbox the child is killed, not unshare: it is the first process of a PID namespace, so the kernel ends all
        // others with it, and unshare, which waits for it, ends only when none is left.
        try
        {
            var children = File.ReadAllText($"/proc/{process.Id}/task/{process.Id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
            foreach (var child in children)
            {
                using var started = Process.GetProcessById(int.Parse(child));
                started.Kill();
            }
            if (children.Length == 0 || !process.WaitForExit(GraceForChildren)) process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or IOException)
        {
            // It has ended by itself meanwhile.
        }
    }
}
