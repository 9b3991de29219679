using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Journal;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Control;

/// <summary>A device's supervisor as the command line uses it, wherever that runs.</summary>
/// <remarks>Every member throws a <see cref="UserError"/> for what is refused, and a <see cref="DeviceFailedException"/> for what the device could not do.</remarks>
internal interface ISupervisor : IAsyncDisposable
{
    /// <summary>All that the supervisor says of itself: the properties of its object on the bus, named in camel case.</summary>
    Task<JsonObject> ReadAsync();

    /// <summary>Has something done that is over when it is answered.</summary>
    /// <param name="method">A method of the bus that takes nothing or one text: Cancel, MarkGood, MarkBad, ClearFailed.</param>
    /// <param name="argument">The text.</param>
    Task DoAsync(string method, string? argument = null);

    /// <summary>Restarts the device.</summary>
    /// <param name="method">Reboot or Rollback.</param>
    /// <param name="force">True restarts although something holds it up.</param>
    Task RestartAsync(string method, bool force);

    /// <summary>Begins a job, and shows it until it ends.</summary>
    /// <param name="order">What to do.</param>
    /// <param name="show">Gets the job with every change.</param>
    /// <param name="cancellationToken">Stops the job.</param>
    /// <returns>The job as it ended.</returns>
    Task<JsonObject> RunJobAsync(JobOrder order, Action<JsonObject> show, CancellationToken cancellationToken);

    /// <summary>Makes the device a member of a fleet.</summary>
    Task JoinFleetAsync(JoinRequest request);

    /// <summary>Makes it forget by what it is known there.</summary>
    Task LeaveFleetAsync();

    /// <summary>Says whether somebody at the device agrees to what the fleet's server assigned.</summary>
    /// <param name="agreed">Whether.</param>
    /// <param name="words">Why.</param>
    Task ConfirmAssignmentAsync(bool agreed, string? words);

    /// <summary>A workload with its objects, as <c>/api/v1/workloads/status</c> gives it.</summary>
    Task<JsonObject> ReadWorkloadAsync(string id);

    /// <summary>What the containers of a workload printed last.</summary>
    /// <param name="id">The workload.</param>
    /// <param name="container">One container, or null for all.</param>
    /// <param name="lines">Most lines of each.</param>
    Task<IReadOnlyList<string>> ReadWorkloadLogAsync(string id, string? container, int lines);

    /// <summary>Lines of the device's journal, the oldest first, as <c>/api/v1/logs</c> gives them.</summary>
    Task<JsonArray> ReadLogAsync(JournalQuery query);

    /// <summary>Writes a support bundle.</summary>
    Task WriteSupportBundleAsync(SafeFileHandle to);

    /// <summary>The code with which the page takes its owner, or empty when there is a password.</summary>
    /// <param name="reset">True forgets the password and every log-in first.</param>
    Task<string> SetupCodeAsync(bool reset);
}
