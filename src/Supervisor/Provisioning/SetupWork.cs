using System.Text.Json;
using Appliance.Core;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Fleet;
using Serilog;

namespace Appliance.Supervisor.Provisioning;

/// <summary>Does what the device was told on its disk and only the supervisor can do, once.</summary>
/// <param name="path">Where it stands.</param>
/// <param name="access">The owner.</param>
/// <param name="agent">The device in its fleet.</param>
internal sealed class SetupWork(string path, OwnerAccess access, FleetAgent agent) : BackgroundService
{
    private const int LargestFile = 256 << 10;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    /// <summary>The setup code is there before anybody is shown one.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        if (Read() is { SetupCode: { } code }) access.Propose(code);
        return base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (Read() is { } pending)
        {
            try
            {
                if (pending.Join is { } join) await agent.JoinAsync(join);
                DurableFile.Delete(path);
                return;
            }
            catch (UserError e)
            {
                // It was looked at before it was written, so it is not the request: another try finds what was missing.
                Log.Warning("The device cannot join the fleet that it was told to join: {Reason}", e.Message);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Log.Warning("The device cannot write down that it is to join a fleet: {Reason}", e.Message);
            }
            await Task.Delay(Pause, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stoppingToken.IsCancellationRequested) return;
        }
    }

    private PendingSetup? Read()
    {
        try
        {
            return RecordFile.TryRead(path, SetupJson.Default.PendingSetup, LargestFile);
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or IOException or UnauthorizedAccessException)
        {
            Log.Error("What the device was told on its disk cannot be read: {Reason}", e.Message);
            return null;
        }
    }
}
