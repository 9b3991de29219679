using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Appliance.Core;

namespace Appliance.Supervisor.Processes;

/// <summary>
/// The one way the supervisor starts another program: argument lists, standard input at its end, bounded capture, a time limit,
/// and a process group of its own that is gone, whole, when the call returns.
/// </summary>
internal static partial class ProcessRunner
{
    private const int Terminate = 15, Kill = 9;

    /// <summary>After the group is gone nothing writes any more, but for a process that left the group and kept the output.</summary>
    private static readonly TimeSpan LastOutput = TimeSpan.FromSeconds(2);

    /// <summary>Runs a program to its end, or ends it with its group when its time is over.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled; the program and its group have ended.</exception>
    /// <exception cref="UserError">Programs cannot be started at all.</exception>
    public static async Task<ProcessOutcome> RunAsync(ProcessCommand command, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var process = Start(command);
        process.StandardInput.Close();
        var lines = new OutputLines(command);
        var reading = lines.ReadAsync(process.StandardOutput);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(command.Limit);
        var cut = false;
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            cut = true;
            await EndAsync(process, command.Grace);
        }
        Signal(process.Id, Kill); // what the program left behind in its group
        await Task.WhenAny(reading, Task.Delay(LastOutput, CancellationToken.None));
        cancellationToken.ThrowIfCancellationRequested();
        return new ProcessOutcome(process.ExitCode, cut, lines.Tail);
    }

    /// <summary>Runs a program whose output goes to a stream, as fast as that takes it.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled, or its time was over; the program and its group have ended.</exception>
    /// <exception cref="IOException">The stream takes no more; the program and its group have ended.</exception>
    /// <exception cref="UserError">Programs cannot be started at all.</exception>
    public static async Task CopyAsync(ProcessCommand command, Stream to, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var process = Start(command);
        process.StandardInput.Close();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(command.Limit);
        try
        {
            await process.StandardOutput.BaseStream.CopyToAsync(to, limit.Token);
        }
        finally
        {
            await EndAsync(process, command.Grace);
            Signal(process.Id, Kill);
        }
    }

    /// <summary>Runs a program that makes bytes of bytes. Neither are in the outcome, whose lines are those of standard error: they may be secrets.</summary>
    /// <param name="command">The program.</param>
    /// <param name="input">Its standard input.</param>
    /// <param name="largestOutput">It is ended when it has printed as many bytes.</param>
    /// <param name="cancellationToken">Ends the program and its group.</param>
    /// <exception cref="OperationCanceledException">It was cancelled; the program and its group have ended.</exception>
    /// <exception cref="IOException">It printed too much; the program and its group have ended.</exception>
    /// <exception cref="UserError">Programs cannot be started at all.</exception>
    public static async Task<(ProcessOutcome Outcome, byte[] Output)> FilterAsync(ProcessCommand command, ReadOnlyMemory<byte> input, int largestOutput, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var process = Start(command, mergesOutputs: false);
        var lines = new OutputLines(command);
        var reading = lines.ReadAsync(process.StandardError);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(command.Limit);
        var (output, length, cut) = (new byte[largestOutput], 0, false);
        try
        {
            var writing = FeedAsync(process, command.Program, input, limit.Token);
            length = await process.StandardOutput.BaseStream.ReadAtLeastAsync(output, largestOutput, throwOnEndOfStream: false, limit.Token);
            cut = length == largestOutput;
            if (cut) await EndAsync(process, command.Grace);
            else await process.WaitForExitAsync(limit.Token);
            await writing;
        }
        catch (OperationCanceledException)
        {
            cut = true;
            await EndAsync(process, command.Grace);
        }
        Signal(process.Id, Kill); // what the program left behind in its group
        await Task.WhenAny(reading, Task.Delay(LastOutput, CancellationToken.None));
        cancellationToken.ThrowIfCancellationRequested();
        return length < largestOutput ? (new ProcessOutcome(process.ExitCode, cut, lines.Tail), output[..length]) : throw new IOException($"{command.Program} printed more than {largestOutput} bytes");
    }

    /// <summary>It need not want all of it: its exit code says what went wrong.</summary>
    private static async Task FeedAsync(Process process, string program, ReadOnlyMemory<byte> input, CancellationToken cancellationToken)
    {
        try
        {
            await process.StandardInput.BaseStream.WriteAsync(input, cancellationToken);
            process.StandardInput.Close();
        }
        catch (IOException e)
        {
            Serilog.Log.Debug("{Program} did not read all of its input: {Reason}", program, e.Message);
        }
    }

    private static Process Start(ProcessCommand command, bool mergesOutputs = true)
    {
        // setsid(1) becomes the program: its process id is also that of its group. The shell gives both of its outputs one pipe,
        // because the order of lines in two is lost.
        var start = new ProcessStartInfo("setsid", ["/bin/sh", "-c", mergesOutputs ? "unset PWD; exec \"$@\" 2>&1" : "unset PWD; exec \"$@\"", "sh", command.Program, .. command.Arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = !mergesOutputs,
            WorkingDirectory = "/",
        };
        if (command.Environment is { } environment)
        {
            start.Environment.Clear();
            foreach (var (name, value) in environment) start.Environment[name] = value;
        }
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new UserError($"setsid, which starts {command.Program}, cannot be started: {e.Message}", "The image needs the package util-linux.", e);
        }
    }

    private static async Task EndAsync(Process process, TimeSpan grace)
    {
        Signal(process.Id, Terminate);
        using var patience = new CancellationTokenSource(grace);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            Signal(process.Id, Kill);
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    /// <summary>Signals the group; in the instant before setsid has made one, the process itself.</summary>
    private static void Signal(int id, int signal)
    {
        if (kill(-id, signal) != 0 && signal == Terminate) kill(id, signal);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int id, int signal);
}
