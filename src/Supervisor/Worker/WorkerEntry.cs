using System.Net.Sockets;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Worker;

/// <summary>The verb <c>worker</c>: systemd starts it for every connection to its socket, with the connection as standard input.</summary>
internal static class WorkerEntry
{
    /// <summary>Serves the connection.</summary>
    public static async Task<int> RunAsync()
    {
        Daemon.StartLogging();
        var options = new WorkerOptions();
        using var socket = new Socket(new SafeSocketHandle(0, ownsHandle: false));
        await using var connection = new NetworkStream(socket, ownsSocket: false);
        await new WorkerServer(options, cancellationToken => BootScheme.OpenAsync(options.Root, cancellationToken), () => EngineAccess.Open(options.Root, options.BusAddress, TimeProvider.System), TimeProvider.System).ServeAsync(connection, CancellationToken.None);
        await Serilog.Log.CloseAndFlushAsync();
        return 0;
    }
}
