using System.Globalization;
using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Control;
using Appliance.Supervisor.Provisioning;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.State;
using Appliance.Supervisor.Usb;
using Appliance.Supervisor.Worker;
using Serilog;

const int UserMistake = 2, Failure = 1;
const string Usage = """
    appliance-supervisor                              runs the daemon (systemd starts it)
    appliance-supervisor wait-healthy [--timeout S]   waits for its verdict: exit code 0 healthy, 1 not
    appliance-supervisor worker                       does one thing that needs root (a socket starts it)
    appliancectl                                      the same program under this name is the command line: appliancectl --help
    appliance-supervisor give-back-try                before a shutdown in good order: this boot was no failed try
    appliance-supervisor provision                    takes what somebody put on the disk's configuration partition (at boot, as root)
    appliance-supervisor state                        keeps aside or puts back what belongs to a version (at boot, as root)
    appliance-supervisor usb DEVICE                   looks for an update on a USB stick (udev has it started)

    Example: appliance-supervisor wait-healthy --timeout 300
    """;
var longestWait = TimeSpan.FromMinutes(130); // health.timeout and health.stabilisation at their longest

if (Path.GetFileName(Environment.GetCommandLineArgs()[0]) == ControlCommands.ProgramName) return await ControlCommands.RunAsync(args);
try
{
    switch (args)
    {
        case ["--help" or "-h" or "help"]:
            Console.WriteLine(Usage);
            return 0;
        case ["wait-healthy"]:
            return await HealthGate.WaitAsync(SupervisorOptions.FromEnvironment().BusAddress, HealthGate.AbsenceLimit, longestWait, Console.Out);
        case ["wait-healthy", "--timeout", var text]:
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds < 1) throw new UserError($"--timeout takes a number of seconds, not \"{text}\".");
            return await HealthGate.WaitAsync(SupervisorOptions.FromEnvironment().BusAddress, TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(seconds), Console.Out);
        case ["worker"]:
            return await WorkerEntry.RunAsync();
        case ["give-back-try"]:
            return await TrialShutdown.RunAsync("/", Console.Out, CancellationToken.None);
        case ["provision"]:
            return await ProvisionVerb.RunAsync("/", CancellationToken.None);
        case ["state"]:
            return await StateVerb.RunAsync(new StateLayout("/"), CancellationToken.None);
        case ["usb", var name]:
            return await UsbVerb.RunAsync(name, SupervisorOptions.FromEnvironment(), CancellationToken.None);
        case []:
            return await RunDaemonAsync();
        default:
            throw new UserError($"There is no verb \"{string.Join(' ', args)}\".", "appliance-supervisor --help shows what there is.");
    }
}
catch (UserError error)
{
    await Console.Error.WriteLineAsync($"error: {error}");
    return UserMistake;
}

static async Task<int> RunDaemonAsync()
{
    Daemon.StartLogging();
    try
    {
        var options = SupervisorOptions.FromEnvironment();
        await using var bus = new BusConnection(options.BusAddress);
        await using var app = Daemon.Build(options, bus);
        await app.RunAsync();
        return Environment.ExitCode;
    }
    catch (Exception e) when (e is BusException or IOException or UnauthorizedAccessException)
    {
        Log.Fatal("The supervisor cannot run: {Reason}", e.Message);
        return Failure;
    }
    finally
    {
        await Log.CloseAndFlushAsync();
    }
}
