using System.Text.Json;
using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.State;
using Appliance.Supervisor.Workloads;
using Serilog;

namespace Appliance.Supervisor.Worker;

/// <summary>
/// The root worker's side: takes one request from a connection, carries it out and answers in lines. It believes the daemon
/// nothing that matters: what is installed is verified from the image's own trusted root down.
/// </summary>
/// <param name="options">Places.</param>
/// <param name="openBoot">Opens boot control; disposed of at the end where it can be.</param>
/// <param name="openEngine">Opens the engine of workloads.</param>
/// <param name="time">Clock.</param>
internal sealed class WorkerServer(WorkerOptions options, Func<CancellationToken, Task<IBootControl>> openBoot, Func<EngineAccess> openEngine, TimeProvider time)
{
    /// <summary>Serves one connection to its end.</summary>
    public async Task ServeAsync(Stream connection, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var answers = new Answers(connection, stop);
        try
        {
            if (await WorkerLine.ReadAsync(connection, WorkerLine.LongestRequest, cancellationToken) is not { } line) return;
            var request = JsonSerializer.Deserialize(line, WorkerJson.Default.WorkerRequest) ?? throw new UserError("an empty request came");
            // Whoever hangs up does not want it any more. A bundle that is sent along has an end that means nothing.
            if (request.Source != "-") _ = StopWhenClosedAsync(connection, stop);
            Log.Information("Worker: {Verb} {Version} {Source}", request.Verb, request.Version, request.Source?.Split('?')[0]);
            answers.Send(new WorkerReply { Result = await RunAsync(request, connection, answers, stop.Token) });
        }
        catch (UserError error)
        {
            answers.Send(new WorkerReply { Error = new(error.Message, error.Hint, Mistake: true, error.MayPass) });
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Log.Information("Worker: stopped");
        }
        catch (JsonException e)
        {
            answers.Send(new WorkerReply { Error = new($"the request is no request: {e.Message}", null, Mistake: false) });
        }
        catch (Exception e)
        {
            Log.Error(e, "Worker: failed");
            answers.Send(new WorkerReply { Error = new(e.Message, null, Mistake: false) });
        }
    }

    private Task<WorkerResult> RunAsync(WorkerRequest request, Stream connection, Answers answers, CancellationToken cancellationToken)
    {
        var (workloads, credentials) = (new WorkloadWork(options, openEngine, time), new CredentialWork(options, openEngine, time));
        return request.Verb switch
        {
            WorkerVerb.Workloads => workloads.ReadAsync(request, cancellationToken),
            WorkerVerb.WorkloadHealth => workloads.ReadHealthAsync(cancellationToken),
            WorkerVerb.Node => workloads.ReadNodeAsync(cancellationToken),
            WorkerVerb.ApplyIncluded => workloads.ApplyIncludedAsync(request, answers, cancellationToken),
            WorkerVerb.CheckWorkload => workloads.CheckAsync(request, connection, cancellationToken),
            WorkerVerb.FetchWorkload => workloads.FetchAsync(request, connection, answers, cancellationToken),
            WorkerVerb.ApplyWorkload => workloads.ApplyAsync(request, answers, cancellationToken),
            WorkerVerb.RollBackWorkload => workloads.RollBackAsync(request, answers, cancellationToken),
            WorkerVerb.RemoveWorkload => workloads.RemoveAsync(request, answers, cancellationToken),
            WorkerVerb.GiveUpWorkload => workloads.GiveUpAsync(request, answers, cancellationToken),
            WorkerVerb.ResumeWorkloads => workloads.ResumeAsync(request, answers, cancellationToken),
            WorkerVerb.WorkloadLog => workloads.ReadLogAsync(request, cancellationToken),
            WorkerVerb.Credentials => Task.FromResult(credentials.Read()),
            WorkerVerb.RotateCredential => credentials.RotateAsync(request, answers, cancellationToken),
            WorkerVerb.ResumeCredentials => credentials.ResumeAsync(answers, cancellationToken),
            WorkerVerb.Seal => new SealWork(options.Seal).SealAsync(request, cancellationToken),
            WorkerVerb.Unseal => new SealWork(options.Seal).UnsealAsync(request, cancellationToken),
            _ => RunOnSlotsAsync(request, connection, answers, cancellationToken),
        };
    }

    private async Task<WorkerResult> RunOnSlotsAsync(WorkerRequest request, Stream connection, Answers answers, CancellationToken cancellationToken)
    {
        var boot = await openBoot(cancellationToken);
        using var owned = boot as IDisposable;
        var (updates, trials) = (new UpdateWork(options, boot, time), new TrialWork(options, boot, openEngine, new StateSnapshots(new StateLayout(options.Root), new StateDisk(), time)));
        return request.Verb switch
        {
            WorkerVerb.Slots => new WorkerResult { Slots = await boot.ReadSlotsAsync(cancellationToken) },
            WorkerVerb.Check => await updates.CheckAsync(request, connection, cancellationToken),
            WorkerVerb.Install => await updates.InstallAsync(request, connection, answers, cancellationToken),
            WorkerVerb.Reboot => await trials.RebootAsync(request, cancellationToken),
            WorkerVerb.MarkGood => await trials.MarkGoodAsync(cancellationToken),
            WorkerVerb.MarkBad => await trials.MarkBadAsync(request, cancellationToken),
            WorkerVerb.Commit => await trials.CommitAsync(request, cancellationToken),
            WorkerVerb.GiveUp => await trials.GiveUpAsync(request, cancellationToken),
            _ => throw new UserError($"there is no verb {request.Verb}"),
        };
    }

    private static async Task StopWhenClosedAsync(Stream connection, CancellationTokenSource stop)
    {
        try
        {
            if (await connection.ReadAsync(new byte[1], stop.Token) == 0) await stop.CancelAsync();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The work is over, or the connection is: its answer would not arrive either.
        }
    }

    /// <summary>Writes lines from whatever thread has something to say.</summary>
    private sealed class Answers(Stream connection, CancellationTokenSource stop) : IProgress<WorkerProgress>
    {
        private readonly Lock _lock = new();

        public void Report(WorkerProgress value) => Send(new WorkerReply { Progress = value });

        public void Send(WorkerReply reply)
        {
            try
            {
                lock (_lock) connection.Write([.. JsonSerializer.SerializeToUtf8Bytes(reply, WorkerJson.Default.WorkerReply), (byte)'\n']);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                Stop();
            }
        }

        /// <summary>Nobody hears the answers; the work may be over by now, too.</summary>
        private void Stop()
        {
            try
            {
                stop.Cancel();
            }
            catch (ObjectDisposedException e)
            {
                Log.Debug("Worker: {Reason}", e.Message);
            }
        }
    }
}
