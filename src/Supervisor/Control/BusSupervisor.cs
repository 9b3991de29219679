using System.IO.Pipes;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Journal;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Web;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Control;

/// <summary>The supervisor of this device, over the bus.</summary>
internal sealed class BusSupervisor : ISupervisor
{
    /// <summary>Hooks run before a restart, and may take their time.</summary>
    private static readonly TimeSpan CallLimit = TimeSpan.FromMinutes(20);

    private readonly SupervisorOptions _options;
    private readonly BusConnection _bus;
    private readonly SupervisorClient _client;

    private BusSupervisor(SupervisorOptions options, BusConnection bus) => (_options, _bus, _client) = (options, bus, new SupervisorClient(bus));

    /// <summary>Connects to the bus.</summary>
    /// <exception cref="UserError">There is none.</exception>
    public static BusSupervisor Connect()
    {
        var options = SupervisorOptions.FromEnvironment();
        try
        {
            return new BusSupervisor(options, new BusConnection(options.BusAddress) { CallLimit = CallLimit });
        }
        catch (BusException e)
        {
            throw new UserError($"The system bus cannot be reached: {e.Text}", "Run this on the device, or name one with --host.", e);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _bus.DisposeAsync();

    /// <inheritdoc/>
    public Task<JsonObject> ReadAsync() => _client.ReadAsync();

    /// <inheritdoc/>
    public Task DoAsync(string method, string? argument = null) => argument is null ? _client.CallAsync(method) : _client.CallAsync(method, "s", argument);

    /// <inheritdoc/>
    public async Task RestartAsync(string method, bool force)
    {
        var inhibitors = ((List<object>)(await _client.CallAsync(method, "b", force))[0]).Cast<string>().ToList();
        if (inhibitors.Count > 0) throw new UserError($"The restart is held up by {string.Join("; ", inhibitors)}.", "Wait for it, or restart all the same with --force.");
    }

    /// <inheritdoc/>
    public Task<JsonObject> RunJobAsync(JobOrder order, Action<JsonObject> show, CancellationToken cancellationToken)
    {
        // The worker has another working directory.
        var source = order.Source is { } path && !order.IsAddress ? Path.GetFullPath(path) : order.Source;
        if (order.Credential is { } credential) return RunCredentialJobAsync(order, credential, show, cancellationToken);
        var isWorkload = order.Method.EndsWith("Workload", StringComparison.Ordinal);
        if (order.Method is "RollBackWorkload" or "RemoveWorkload") return _client.RunJobAsync(order.Method, order.Workload ?? "", null, show, cancellationToken);
        var isCheck = order.Method == "Check";
        var options = new Dictionary<object, object> { ["by"] = new Variant("s", Environment.UserName) };
        foreach (var (name, value) in new (string, object?)[] { ("source", isCheck || isWorkload && order.Source != JobOrder.StandardInput ? source : null), ("channel", order.Channel), ("version", order.Version), ("force", order.Force ? true : null), ("reboot", order.Reboot) })
            if (value is not null) options[name] = new Variant(value is bool ? "b" : "s", value);
        if (isCheck) return _client.RunJobAsync(order.Method, null, options, show, cancellationToken);
        if (order.Source != JobOrder.StandardInput && isWorkload) return _client.RunJobAsync(order.Method, order.Workload ?? "", options, show, cancellationToken);
        return order.Source == JobOrder.StandardInput
            ? _client.RunJobAsync(order.Method + "Stream", new SafeFileHandle(0, ownsHandle: false), options, show, cancellationToken)
            : _client.RunJobAsync(order.Method, source ?? "", options, show, cancellationToken);
    }

    private async Task<JsonObject> RunCredentialJobAsync(JobOrder order, string credential, Action<JsonObject> show, CancellationToken cancellationToken)
    {
        var options = new Dictionary<object, object> { ["by"] = new Variant("s", Environment.UserName), ["emergency"] = new Variant("b", order.Emergency) };
        if (order.Content is not { Length: > 0 } content) return await _client.RunJobAsync([credential, options], order.Method, show, cancellationToken);
        // Through a pipe: a secret is never in a file of ours.
        using var pipe = new AnonymousPipeServerStream(PipeDirection.Out, HandleInheritability.None);
        using var read = new SafeFileHandle(pipe.ClientSafePipeHandle.DangerousGetHandle(), ownsHandle: false);
        await pipe.WriteAsync(content, cancellationToken); // there is room for all of it
        pipe.SafePipeHandle.Close();
        return await _client.RunJobAsync([credential, read, options], order.Method, show, cancellationToken);
    }

    /// <inheritdoc/>
    public Task JoinFleetAsync(JoinRequest request)
    {
        var options = new Dictionary<object, object>();
        foreach (var (name, value) in request.Members)
            if (value is not null) options[name] = new Variant("s", value);
        return _client.CallAsync("JoinFleet", "a{sv}", options);
    }

    /// <inheritdoc/>
    public Task LeaveFleetAsync() => _client.CallAsync("LeaveFleet");

    /// <inheritdoc/>
    public Task ConfirmAssignmentAsync(bool agreed, string? words) => _client.CallAsync("ConfirmAssignment", "bs", agreed, words ?? "");

    /// <inheritdoc/>
    public async Task<JsonObject> ReadWorkloadAsync(string id) => (JsonObject)BusJson.Translate((await _client.CallAsync("WorkloadStatus", "s", id))[0])!;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ReadWorkloadLogAsync(string id, string? container, int lines) =>
        [.. ((List<object>)(await _client.CallAsync("WorkloadLog", "ssu", id, container ?? "", (uint)lines))[0]).Cast<string>()];

    /// <inheritdoc/>
    public async Task<JsonArray> ReadLogAsync(JournalQuery query)
    {
        // Who may read the journal is journald's business, not the supervisor's.
        using var journal = new JournalReader(_options.JournalFolder);
        return (JsonArray)JsonSerializer.SerializeToNode(await journal.ReadAsync(query, CancellationToken.None), StatusJson.Default.IReadOnlyListJournalLine)!;
    }

    /// <inheritdoc/>
    public Task WriteSupportBundleAsync(SafeFileHandle to) => _client.CallAsync("SupportBundle", "h", to);

    /// <inheritdoc/>
    public async Task<string> SetupCodeAsync(bool reset) => (string)(await _client.CallAsync(reset ? "ResetAccess" : "SetupCode"))[0];
}
