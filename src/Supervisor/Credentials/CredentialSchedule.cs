using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.Supervisor.Updates;
using Serilog;

namespace Appliance.Supervisor.Credentials;

/// <summary>Changes credentials when it is time, in the device's windows, and goes on with what was interrupted.</summary>
internal sealed class CredentialSchedule(CredentialDesk desk, UpdateEngine engine, UpdateSettings settings, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Pace = TimeSpan.FromMinutes(10), AfterFailure = TimeSpan.FromHours(6);

    private readonly MaintenanceWindows _windows = new(settings.Windows);
    private readonly Dictionary<string, TimeSpan> _notBefore = [];
    private readonly long _start = time.GetTimestamp();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await desk.ResumeAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ActAsync(stoppingToken);
            }
            catch (UserError e)
            {
                Log.Debug("A rotation that is due waits: {Reason}", e.Message); // another job, or a trial
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) // a full disk, a page that does not answer: no reason to end the supervisor, which would be all there is
            {
                Log.Error(e, "What is due of credentials could not be done");
            }
            await Task.Delay(Pace, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ActAsync(CancellationToken cancellationToken)
    {
        if (engine.Job?.View.State == JobState.Running) return; // it may be a rotation
        if (desk.IsUnfinished) await desk.ResumeAsync(cancellationToken);
        else await desk.RefreshAsync(cancellationToken);
        if (!_windows.AreOpen(time.GetLocalNow().DateTime)) return;
        var now = time.GetElapsedTime(_start);
        foreach (var credential in desk.Due.Where(due => _notBefore.GetValueOrDefault(due.Name) <= now))
        {
            var job = desk.Rotate(credential.Name, UpdateJob.OfTheDevice);
            _notBefore[credential.Name] = now + AfterFailure; // not for a job that never began: somebody wanted something else just then
            await job.Work.WaitAsync(cancellationToken);
        }
    }
}
