using System.CommandLine;
using Appliance.FleetSimulator;

var server = new Option<string>("--server") { Description = "Address of the server.", DefaultValueFactory = _ => "http://127.0.0.1:8080" };
var token = new Option<string>("--gateway-token-file") { Description = "File with the gateway token.", Required = true };
var devices = new Option<int>("--devices") { Description = "How many devices.", DefaultValueFactory = _ => 1000 };
var interval = new Option<double?>("--interval") { Description = "Seconds between two questions of a device; without it, as fast as the server answers." };
var concurrency = new Option<int>("--concurrency") { Description = "Questions under way at once, at most.", DefaultValueFactory = _ => 64 };
var failures = new Option<double>("--failures") { Description = "Share of installations that fail." };
var offline = new Option<double>("--offline") { Description = "Share of questions at which a device goes away for its next two." };
var duration = new Option<double>("--seconds") { Description = "How long it runs.", DefaultValueFactory = _ => 60 };
var until = new Option<bool>("--until-installed") { Description = "End when every device has ended an installation." };
var root = new RootCommand("""
    Devices that speak DDI with an update server, and how it answers.

    Example:
      fleet-simulator --gateway-token-file token --devices 100000 --interval 300 --seconds 120
    """)
{ server, token, devices, interval, concurrency, failures, offline, duration, until };
root.SetAction(async (result, cancellationToken) =>
{
    var options = new SimulatorOptions
    {
        Server = new Uri(result.GetValue(server)!),
        GatewayToken = (await File.ReadAllTextAsync(result.GetValue(token)!, cancellationToken)).Trim(),
        Devices = result.GetValue(devices),
        Interval = result.GetValue(interval) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        Concurrency = result.GetValue(concurrency),
        Failures = result.GetValue(failures),
        Offline = result.GetValue(offline),
        Duration = TimeSpan.FromSeconds(result.GetValue(duration)),
        UntilInstalled = result.GetValue(until),
    };
    Console.WriteLine(await new Simulation(options).RunAsync(cancellationToken));
    return 0;
});
return await root.Parse(args).InvokeAsync();
