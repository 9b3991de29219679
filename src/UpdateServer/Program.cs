using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Certificates;
using Appliance.UpdateServer.Serve;
using Serilog;
using Serilog.Events;

const int UserMistake = 2, Failure = 1;

Log.Logger = new LoggerConfiguration()
    .MinimumLevel.Information().MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
    .MinimumLevel.Override("Microsoft.AspNetCore.DataProtection", LogEventLevel.Error) // comes with the pages, which keep nothing by it
    .WriteTo.Console(outputTemplate: "{Timestamp:yyyy-MM-ddTHH:mm:ss.fffZ} {Level:u3} {Message:lj}{NewLine}{Exception}", formatProvider: CultureInfo.InvariantCulture, standardErrorFromLevel: LogEventLevel.Verbose)
    .CreateLogger();

using var interrupt = new CancellationTokenSource();
void OnSignal(PosixSignalContext context)
{
    context.Cancel = true; // requests under way are finished
    interrupt.Cancel();
}
using var sigint = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
using var sigterm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);

var root = new RootCommand("""
    The update server of a fleet: hosts the repository, knows the devices, rolls releases out in stages.

    Example:
      appliance-server serve --data data --repo /srv/updates
      appliance-server key anna --data data
    """)
{ ServeCommand.Create(), KeyCommand.Create(), AuthorityCommand.Create(), BackupCommand.Create() };
try
{
    return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, interrupt.Token);
}
catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
{
    return 0;
}
catch (UserError error)
{
    await Console.Error.WriteLineAsync($"error: {error}");
    return UserMistake;
}
catch (IOException error)
{
    await Console.Error.WriteLineAsync($"error: {error.Message}");
    return Failure;
}
finally
{
    await Log.CloseAndFlushAsync();
}
