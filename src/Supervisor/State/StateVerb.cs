using System.Text;
using Appliance.Core;
using Appliance.Supervisor.Service;
using Serilog;

namespace Appliance.Supervisor.State;

/// <summary>The verb <c>state</c>: run by appliance-state.service at every boot, before all that works with the state.</summary>
internal static class StateVerb
{
    /// <summary>Exit code 0 when the state is safe; 1 when it is not, with the reason in <see cref="StateLayout.FailurePath"/>.</summary>
    /// <exception cref="UserError">It was not started by root.</exception>
    public static async Task<int> RunAsync(StateLayout layout, CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess) throw new UserError("appliance-supervisor state needs root.", "appliance-state.service runs it at boot.");
        Daemon.StartLogging();
        try
        {
            // It stands until all is well, so that whatever ends us leaves a boot that is not called good.
            Fail(layout, "the state of the versions was not made safe: appliance-state.service did not finish");
            await new StateSnapshots(layout, new StateDisk(), TimeProvider.System).RunAtBootAsync(cancellationToken);
            File.Delete(layout.Failure);
            return 0;
        }
        catch (Exception e) when (e is UserError or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Log.Error("The state is not safe: {Reason}", e.Message);
            Fail(layout, e is UserError { Hint: { } hint } ? $"{e.Message} {hint}" : e.Message);
            return 1;
        }
        finally
        {
            await Log.CloseAndFlushAsync();
        }
    }

    private static void Fail(StateLayout layout, string reason)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(layout.Failure)!);
        DurableFile.Write(layout.Failure, Encoding.UTF8.GetBytes(reason + "\n"), DurableFile.Readable);
    }
}
