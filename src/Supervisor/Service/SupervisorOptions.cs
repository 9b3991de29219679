using System.Net;
using Appliance.Core;
using Appliance.Core.Access;

namespace Appliance.Supervisor.Service;

/// <summary>Where the daemon finds and puts things; tests have their own places.</summary>
internal sealed record SupervisorOptions
{
    /// <summary>D-Bus address, or null for the system bus (APPLIANCE_BUS).</summary>
    public string? BusAddress { get; init; }

    /// <summary>Root of the files that are read, <c>/</c> on a device (APPLIANCE_ROOT).</summary>
    public string Root { get; init; } = "/";

    /// <summary>The daemon's own folder on the data partition (APPLIANCE_STATE).</summary>
    public string StateFolder { get; init; } = "/var/lib/appliance/supervisor";

    /// <summary>The root worker's socket (APPLIANCE_WORKER).</summary>
    public string WorkerSocket { get; init; } = "/run/appliance/worker.sock";

    /// <summary>The worker's record of a trial (APPLIANCE_TRIAL).</summary>
    public string TrialPath { get; init; } = Updates.TrialRecord.DefaultPath;

    /// <summary>Folder of the console's log-in messages (APPLIANCE_ISSUE).</summary>
    public string IssueFolder { get; init; } = "/run/issue.d";

    /// <summary>Folder of the journal's files; null for the system's (APPLIANCE_JOURNAL).</summary>
    public string? JournalFolder { get; init; }

    /// <summary>Where the page listens instead of where the image says (APPLIANCE_LISTEN, address:port).</summary>
    public IPEndPoint? Listen { get; init; }

    /// <summary>Reads the environment.</summary>
    /// <exception cref="UserError">APPLIANCE_LISTEN is no address and port.</exception>
    public static SupervisorOptions FromEnvironment()
    {
        var defaults = new SupervisorOptions();
        string Value(string name, string fallback) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : fallback;
        var listen = Environment.GetEnvironmentVariable("APPLIANCE_LISTEN");
        return new SupervisorOptions
        {
            BusAddress = Environment.GetEnvironmentVariable("APPLIANCE_BUS"),
            Root = Value("APPLIANCE_ROOT", defaults.Root),
            StateFolder = Value("APPLIANCE_STATE", defaults.StateFolder),
            WorkerSocket = Value("APPLIANCE_WORKER", defaults.WorkerSocket),
            TrialPath = Value("APPLIANCE_TRIAL", defaults.TrialPath),
            IssueFolder = Value("APPLIANCE_ISSUE", defaults.IssueFolder),
            JournalFolder = Environment.GetEnvironmentVariable("APPLIANCE_JOURNAL") is { Length: > 0 } journal ? journal : null,
            Listen = string.IsNullOrEmpty(listen) ? null
                : AccessSettings.TryParse(listen, out var endpoint) ? endpoint
                : throw new UserError($"APPLIANCE_LISTEN is \"{listen}\", which is no address and port.", "Example: APPLIANCE_LISTEN=127.0.0.1:8443"),
        };
    }
}
