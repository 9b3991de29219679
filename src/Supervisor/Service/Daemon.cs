using System.Net;
using Appliance.Core;
using Appliance.Core.Access;
using Appliance.Core.Credentials;
using Appliance.Core.Fleet;
using Appliance.Core.Health;
using Appliance.Core.Updates;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Findings;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Health.Probes;
using Appliance.Supervisor.Journal;
using Appliance.Supervisor.Provisioning;
using Appliance.Supervisor.Secrets;
using Appliance.Supervisor.State;
using Appliance.Supervisor.Support;
using Appliance.Supervisor.Systemd;
using Appliance.Supervisor.Telemetry;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Web;
using Appliance.Supervisor.Worker;
using Appliance.Supervisor.Workloads;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Serilog;
using Serilog.Events;

namespace Appliance.Supervisor.Service;

/// <summary>Puts the daemon together.</summary>
internal static class Daemon
{
    /// <summary>Builds the host; the connection to the bus belongs to the caller.</summary>
    public static WebApplication Build(SupervisorOptions options, BusConnection bus)
    {
        // Empty: the slim builder would read and watch appsettings.json, and with it every folder below the working directory.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        Directory.CreateDirectory(options.StateFolder);
        var facts = new DeviceFacts(options.Root, options.StateFolder);
        var certificate = new PageCertificate(Path.Combine(options.StateFolder, PageCertificate.FileName), () => facts.Hostname);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        var clients = ClientLogIn.ReadAuthority(options.Root);
        var listen = options.Listen ?? PageEndpoint(ReadSettings("access", ImageSettings.ReadAccess, options.Root));
        builder.WebHost.ConfigureKestrel(kestrel => StatusServer.Configure(kestrel, listen, certificate, clients));

        var systemd = new Systemd1(bus);
        var declared = HealthDeclarations.Read(Path.Join(options.Root, HealthDeclarations.ImageFolder), Path.Join(options.Root, HealthDeclarations.LocalFolder));
        foreach (var problem in declared.Problems) Log.Error("A health declaration cannot be used: {Problem}", problem.Message);
        var updates = ReadSettings("update", ImageSettings.ReadUpdates, options.Root);
        var services = builder.Services;
        services.AddRoutingCore();
        services.AddSerilog();
        services.AddSystemd();
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton(bus);
        services.AddSingleton(facts);
        services.AddSingleton(certificate);
        services.AddSingleton(listen);
        services.Configure<SocketTransportOptions>(transport => transport.CreateBoundListenSocket = ListenSocket.Create);
        services.AddSingleton(systemd);
        var baseline = Path.Combine(options.StateFolder, "baseline.json");
        services.AddSingleton(provider => new HealthMonitor(declared.Settings, Probes(provider.GetRequiredService<IServer>(), provider.GetRequiredService<WorkloadUpdates>, provider.GetRequiredService<CredentialDesk>), provider.GetRequiredService<TimeProvider>(),
            SavedBaseline.ReadForTrial(baseline, options.TrialPath, facts.Image.Version, DeviceBoot.ReadBootId(options.Root)),
            // On the disk before the gate can see it and restart the machine. The engine knows the monitor, so it is looked up late.
            report => provider.GetRequiredService<UpdateEngine>().NoteVerdict(report)));
        services.AddSingleton<IBaseline>(provider => new SavedBaseline(baseline, facts.Image.Version, provider.GetRequiredService<HealthMonitor>()));
        services.AddSingleton(provider => new StateLosses(new StateSnapshots(new StateLayout(options.Root), new StateDisk(), provider.GetRequiredService<TimeProvider>()), facts.Image.Version));
        services.AddSingleton<DeviceView>();
        services.AddSingleton<StateInterface>();
        services.AddSingleton(CredentialStatus.OfAuthorities(clients));
        services.AddSingleton<FindingList>();
        services.AddSingleton<FindingInterface>();
        services.AddSingleton(provider => new OwnerAccess(Path.Combine(options.StateFolder, "access.json"), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<CredentialSettings>().Password));
        services.AddSingleton(provider => new ClientLogIn(clients, provider.GetRequiredService<OwnerAccess>(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<AccessInterface>();
        services.AddSingleton<LiveChanges>();
        services.AddSingleton(new JournalReader(options.JournalFolder));
        TelemetryServices.Add(services, facts, ReadSettings("telemetry", ImageSettings.ReadTelemetry, options.Root), options.StateFolder);
        services.AddSingleton<SupportBundle>();
        services.AddSingleton<SupportInterface>();
        AddUpdates(services, options, updates);
        AddFleet(services, options, ReadSettings("fleet", ImageSettings.ReadFleet, options.Root));
        AddCredentials(services, options, ReadSettings("credential", ImageSettings.ReadCredentials, options.Root));
        services.AddHostedService(provider => provider.GetRequiredService<HealthMonitor>());
        services.AddHostedService(provider => provider.GetRequiredService<FindingList>());
        services.AddSingleton<SupervisorObject>();
        services.AddHostedService(provider => provider.GetRequiredService<SupervisorObject>());
        services.AddHostedService<ConsoleIssue>();
        if (WatchdogService.Limit is not null) services.AddHostedService<WatchdogService>();
        var app = builder.Build();
        StatusServer.Map(app);
        return app;

        IReadOnlyList<IHealthProbe> Probes(IServer server, Func<WorkloadUpdates> workloads, Func<CredentialDesk> credentials)
        {
            var included = new ImageReleases(options.Root).Ids;
            // A device that is told of a proxy is asked about itself and its neighbours all the same, not the proxy.
            var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Timeout.InfiniteTimeSpan };
            var probes = new DeclaredProbes(options.Root, systemd, new WorkloadHealth(new UnitWorkloads(options.Root, facts.Image.WorkloadsEngine, systemd), included, facts.Image.Version, workloads), http, updates);
            return
            [
                new SystemdProbe(systemd), new DataProbe(options.StateFolder), new PageProbe(server, certificate), new NetworkProbe(options.Root, DeviceFacts.Addresses),
                new StateProbe(new StateLayout(options.Root).Failure), new CredentialProbe(credentials, TimeProvider.System),
                .. declared.Problems.Count == 0 ? Array.Empty<IHealthProbe>() : [new BrokenSettingsProbe(declared.Problems)],
                .. declared.Settings.Checks.Select(probes.Create),
                // What the image brings is a part of it: without that running, no boot of it is good.
                .. included.Count > 0 ? [probes.Create(HealthCheck.Releases)] : Array.Empty<IHealthProbe>(),
            ];
        }
    }

    /// <summary>The update engine. It finds out what this boot means before the first health check can end.</summary>
    private static void AddUpdates(IServiceCollection services, SupervisorOptions options, UpdateSettings updates)
    {
        services.AddSingleton<IWorker>(new WorkerClient(options.WorkerSocket));
        services.AddSingleton(provider => new UpdateMemory(new UpdateStore(Path.Combine(options.StateFolder, "update.json")), provider.GetRequiredService<IDeviceBoot>().Version));
        services.AddSingleton<IDeviceBoot>(provider => new DeviceBoot(provider.GetRequiredService<DeviceView>(), provider.GetRequiredService<JournalReader>(), options.Root, options.TrialPath));
        services.AddSingleton<UpdateEngine>();
        services.AddSingleton(updates);
        services.AddSingleton<UpdateSchedule>();
        services.AddSingleton<JobObjects>();
        services.AddSingleton<UpdateInterface>();
        services.AddHostedService(provider => provider.GetRequiredService<UpdateSchedule>());
        services.AddSingleton<WorkloadUpdates>();
        services.AddSingleton<WorkloadInterface>();
        services.AddHostedService(provider => ActivatorUtilities.CreateInstance<WorkloadSchedule>(provider, provider.GetRequiredService<DeviceView>().Facts.Image));
    }

    /// <summary>The device as a member of a fleet.</summary>
    private static void AddFleet(IServiceCollection services, SupervisorOptions options, FleetSettings settings)
    {
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<AssignmentWork>(provider, new AssignmentFile(Path.Combine(options.StateFolder, AssignmentFile.FileName))));
        services.AddSingleton<ISecretSeal, WorkerSeal>();
        services.AddSingleton(provider =>
        {
            var agent = ActivatorUtilities.CreateInstance<FleetAgent>(provider, settings, options.Root, new FleetMembershipFile(Path.Combine(options.StateFolder, FleetMembershipFile.FileName), provider.GetRequiredService<ISecretSeal>()));
            provider.GetRequiredService<CredentialDesk>().Join(agent);
            return agent;
        });
        services.AddSingleton<FleetInterface>();
        // Before the page and the console show a setup code, and before the agent asks anybody.
        services.AddHostedService(provider => ActivatorUtilities.CreateInstance<SetupWork>(provider, Path.Combine(options.StateFolder, PendingSetup.FileName)));
        services.AddHostedService(provider => provider.GetRequiredService<FleetAgent>());
        services.AddHostedService(provider => ActivatorUtilities.CreateInstance<FleetReports>(provider, settings, options.StateFolder));
    }

    /// <summary>Credentials, and how they are changed.</summary>
    private static void AddCredentials(IServiceCollection services, SupervisorOptions options, CredentialSettings settings)
    {
        services.AddSingleton(settings);
        services.AddSingleton(provider => new RotationEngine(Path.Combine(options.StateFolder, "rotations"), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new PageCredential(provider.GetRequiredService<PageCertificate>(), new PageProbe(provider.GetRequiredService<IServer>(), provider.GetRequiredService<PageCertificate>()).TryAsync));
        services.AddSingleton<CredentialDesk>();
        services.AddSingleton<CredentialInterface>();
        services.AddHostedService<CredentialSchedule>();
    }

    /// <summary>A page that listens elsewhere than it was told is better than none.</summary>
    private static IPEndPoint PageEndpoint(AccessSettings settings)
    {
        if (AccessSettings.TryParse(settings.Listen, out var endpoint)) return endpoint;
        Log.Error("The access settings are broken: {Listen} is no address and port", settings.Listen);
        return IPEndPoint.Parse(new AccessSettings().Listen);
    }

    /// <summary>A device whose settings cannot be used is still one that updates can be brought to.</summary>
    private static T ReadSettings<T>(string what, Func<string, T> read, string root) where T : new()
    {
        try
        {
            return read(root);
        }
        catch (UserError error)
        {
            Log.Error("The {What} settings are broken: {Problem}", what, error.Message);
            return new T();
        }
    }

    /// <summary>Logs to the journal with fields, or as plain text to the console.</summary>
    public static void StartLogging()
    {
        var logging = new LoggerConfiguration().MinimumLevel.Information().MinimumLevel.Override("Microsoft", LogEventLevel.Warning);
        Log.Logger = (JournalSink.IsAvailable ? logging.WriteTo.Sink(new JournalSink()) : logging.WriteTo.Console()).CreateLogger();
    }
}
