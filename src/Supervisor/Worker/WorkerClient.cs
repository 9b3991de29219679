using System.Net.Sockets;
using System.Text.Json;
using Appliance.Core;

namespace Appliance.Supervisor.Worker;

/// <summary>Reaches the root worker: every connection to the socket starts a process of its own, and closing it stops that.</summary>
internal sealed class WorkerClient(string socketPath) : IWorker
{
    private const int CopyBuffer = 64 << 10;

    /// <summary>How long a worker that is stopped is waited for: what it does last is on the disk then.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);

    /// <inheritdoc/>
    public async Task<WorkerResult> RunAsync(WorkerRequest request, Stream? bundle, IProgress<WorkerProgress>? progress, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using var sending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
            await using var stream = new NetworkStream(socket, ownsSocket: false);
            await stream.WriteAsync((byte[])[.. JsonSerializer.SerializeToUtf8Bytes(request, WorkerJson.Default.WorkerRequest), (byte)'\n'], cancellationToken);
            if (bundle is not null) _ = SendAsync(bundle, stream, socket, sending.Token);
            using var limit = new CancellationTokenSource();
            var result = ReadResultAsync(stream, progress, limit.Token);
            try
            {
                return await result.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                HangUp(socket);
                // From a certain step on a rotation goes to its end, and says which.
                if (request.Verb == WorkerVerb.RotateCredential && await EndOfAsync(result) is { } late) return late;
                limit.CancelAfter(StopLimit);
                await ((Task)result).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                throw;
            }
        }
        catch (Exception e) when (e is SocketException or IOException or JsonException)
        {
            throw new WorkerException($"the worker cannot be reached: {e.Message}", e);
        }
        finally
        {
            // Not waited for: a read from a pipe into which nobody writes cannot be broken off.
            await sending.CancelAsync();
        }
    }

    private static async Task<WorkerResult> ReadResultAsync(NetworkStream stream, IProgress<WorkerProgress>? progress, CancellationToken cancellationToken)
    {
        var answers = new BufferedStream(stream, CopyBuffer); // not closed: hanging up needs the connection
        while (await WorkerLine.ReadAsync(answers, WorkerLine.LongestAnswer, cancellationToken) is { } line)
        {
            var reply = JsonSerializer.Deserialize(line, WorkerJson.Default.WorkerReply);
            if (reply?.Progress is { } step) progress?.Report(step);
            if (reply?.Result is { } result) return result;
            if (reply?.Error is { } error) throw error.Mistake ? new UserError(error.Message, error.Hint) { MayPass = error.MayPass } : new WorkerException(error.Message);
        }
        throw new WorkerException("the worker ended without an answer; its journal (appliance-worker@) says why");
    }

    /// <summary>Tells the worker that nobody wants the rest. It reports on until it hears of it.</summary>
    private static void HangUp(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException e)
        {
            Serilog.Log.Debug("The worker that was stopped has gone: {Reason}", e.Message);
        }
    }

    /// <summary>What a worker says that was stopped; null when it ends without a word.</summary>
    private static async Task<WorkerResult?> EndOfAsync(Task<WorkerResult> result)
    {
        try
        {
            return await result;
        }
        catch (Exception e) when (e is WorkerException or SocketException or IOException)
        {
            return null;
        }
    }

    /// <summary>The worker need not want all of it: it says itself what went wrong, so a send that fails is no news.</summary>
    private static async Task SendAsync(Stream bundle, NetworkStream stream, Socket socket, CancellationToken cancellationToken)
    {
        try
        {
            await bundle.CopyToAsync(stream, CopyBuffer, cancellationToken);
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            Serilog.Log.Debug("The rest of the bundle was not sent: {Reason}", e.Message);
            // It may be the source that failed: a worker that hears of no end would wait for the rest.
            if (e is IOException && socket.Connected) socket.Shutdown(SocketShutdown.Send);
        }
    }
}
