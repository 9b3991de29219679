using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Journal;
using Appliance.Supervisor.Service;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Control;

/// <summary>The supervisor of another device, over HTTPS (docs/access.md).</summary>
/// <param name="connection">A log-in; it is disposed along.</param>
internal sealed class RemoteSupervisor(DeviceConnection connection) : ISupervisor
{
    private const string Updates = "api/v1/updates", Workloads = "api/v1/workloads", Fleet = "api/v1/fleet", Credentials = "api/v1/credentials";
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(500);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        connection.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task<JsonObject> ReadAsync() => (JsonObject)await connection.GetAsync("api/v1/state");

    /// <inheritdoc/>
    public Task DoAsync(string method, string? argument = null) => connection.PostAsync(Route(method), (method == "MarkBad" ? "slot" : "version", argument));

    /// <inheritdoc/>
    public Task RestartAsync(string method, bool force) => connection.PostAsync(Route(method), ("force", Word(force)));

    /// <inheritdoc/>
    public async Task<JsonObject> RunJobAsync(JobOrder order, Action<JsonObject> show, CancellationToken cancellationToken)
    {
        await using var cancel = cancellationToken.Register(() => _ = connection.PostAsync(Route("Cancel")));
        if (order.Credential is { } credential)
        {
            if (order.Content is { } content) return await ShowWhileAsync(connection.SendStreamAsync($"{Credentials}/set?name={Uri.EscapeDataString(credential)}&emergency={Word(order.Emergency)}", new MemoryStream(content), IsJob), show, cancellationToken);
            return await FollowAsync((int)((JsonObject)(await connection.PostAsync($"{Credentials}/rotate", ("name", credential), ("emergency", Word(order.Emergency))))!)["id"]!, show);
        }
        if (order.Source is null || order.IsAddress)
        {
            var begun = (JsonObject)(await connection.PostAsync(Route(order.Method), ("id", order.Workload), ("source", order.Source), ("channel", order.Channel), ("version", order.Version), ("force", Word(order.Force)), ("reboot", Word(order.Reboot))))!;
            return await FollowAsync((int)begun["id"]!, show);
        }
        if (order.Method is "Check" or "CheckWorkload") throw new UserError($"{connection.Host} cannot look into {order.Source} on this computer.", "Name an address, or install the bundle, which is sent then.");
        if (order.Channel is not null || order.Version is not null) throw new UserError("A bundle that is sent has one version.", "Leave out --version and --channel.");
        await using var bundle = OpenBundle(order.Source);
        var to = order.Method == "ApplyWorkload" ? $"{Workloads}/bundle?force={Word(order.Force)}" : $"{Route("Bundle")}?force={Word(order.Force)}&reboot={Word(order.Reboot)}";
        var sending = connection.SendStreamAsync(to, bundle, IsJob);
        return await ShowWhileAsync(sending, show, cancellationToken);
    }

    /// <inheritdoc/>
    public Task JoinFleetAsync(JoinRequest request) => connection.PostAsync($"{Fleet}/join", [.. request.Members]);

    /// <inheritdoc/>
    public Task LeaveFleetAsync() => connection.PostAsync($"{Fleet}/leave");

    /// <inheritdoc/>
    public Task ConfirmAssignmentAsync(bool agreed, string? words) => connection.PostAsync($"{Fleet}/confirm", ("agreed", Word(agreed)), ("words", words));

    /// <inheritdoc/>
    public async Task<JsonObject> ReadWorkloadAsync(string id) => (JsonObject)await connection.GetAsync($"{Workloads}/status?id={Uri.EscapeDataString(id)}");

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ReadWorkloadLogAsync(string id, string? container, int lines) =>
        [.. ((JsonArray)await connection.GetAsync($"{Workloads}/log?id={Uri.EscapeDataString(id)}&lines={lines.ToString(CultureInfo.InvariantCulture)}{(container is null ? "" : $"&container={Uri.EscapeDataString(container)}")}")).Select(line => (string)line!)];

    /// <inheritdoc/>
    public async Task<JsonArray> ReadLogAsync(JournalQuery query)
    {
        var asked = new (string Name, object? Value)[] { ("unit", query.Unit), ("priority", query.Priority), ("boot", query.Boot ?? "all"), ("text", query.Text), ("lines", query.Lines) };
        return (JsonArray)await connection.GetAsync($"api/v1/logs?{string.Join('&', asked.Where(part => part.Value is not null).Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Name}={Uri.EscapeDataString($"{part.Value}")}")))}");
    }

    /// <inheritdoc/>
    public async Task WriteSupportBundleAsync(SafeFileHandle to)
    {
        await using var stream = new FileStream(to, FileAccess.Write, bufferSize: 0);
        await connection.DownloadAsync("api/v1/support", stream);
    }

    /// <inheritdoc/>
    public Task<string> SetupCodeAsync(bool reset) => throw new UserError("The setup code is told on the device only.", "Its console shows it; so does appliancectl setup-code there.");

    /// <summary>Of workloads the last word of a method is the folder: <c>RollBackWorkload</c> is <c>workloads/roll-back</c>.</summary>
    private static string Route(string method) => method.EndsWith("Workload", StringComparison.Ordinal)
        ? $"{Workloads}/{JsonNamingPolicy.KebabCaseLower.ConvertName(method[..^"Workload".Length])}"
        : $"{Updates}/{JsonNamingPolicy.KebabCaseLower.ConvertName(method)}";

    private static string? Word(bool? flag) => flag switch { true => "true", false => "false", null => null };

    /// <summary>A job that failed is answered with 409 like what is refused before it began, which is a problem.</summary>
    private static bool IsJob(HttpResponseMessage answer) => answer.Content.Headers.ContentType is { MediaType: "application/json" };

    private static FileStream OpenBundle(string source)
    {
        if (source == JobOrder.StandardInput) return new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);
        if (Directory.Exists(source)) throw new UserError($"{source} is a folder, and only a bundle can be sent.", "appliance bundle makes one of a repository: a file with its signatures.");
        try
        {
            return new FileStream(source, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, useAsync: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{source} cannot be read: {e.Message}", "Name a bundle on this computer, or an address that the device can reach.", e);
        }
    }

    private async Task<JsonObject> FollowAsync(int id, Action<JsonObject> show)
    {
        while (true)
        {
            if (await ReadJobAsync() is not { } job || (int)job["id"]! != id)
                throw new UserError("The supervisor was started again, or does something else meanwhile.", $"appliancectl --host {connection.Host} status says how it goes on.");
            show(job);
            if ((string?)job["state"] != "running") return job;
            await Task.Delay(Pace);
        }
    }

    /// <summary>The answer comes with the job's end. When that was stopped, the sending may still wait for a source that says no more.</summary>
    private async Task<JsonObject> ShowWhileAsync(Task<JsonNode> sending, Action<JsonObject> show, CancellationToken cancellationToken)
    {
        while (await Task.WhenAny(sending, Task.Delay(Pace, CancellationToken.None)) != sending)
        {
            if (await ReadJobAsync() is not { } job) continue;
            show(job);
            if (cancellationToken.IsCancellationRequested && (string?)job["state"] != "running") return job;
        }
        return Named((JsonObject)await sending);
    }

    private async Task<JsonObject?> ReadJobAsync() => (await connection.GetAsync(Updates))["job"] is JsonObject job ? Named(job) : null;

    /// <summary>A job as its object on the bus shows it: what is not known is not null there, and moments are numbers.</summary>
    private static JsonObject Named(JsonObject job)
    {
        job["workload"] ??= "";
        job["version"] ??= "";
        job["secondsLeft"] ??= -1.0;
        job["startedAt"] = BusValues.Moment((DateTimeOffset)job["startedAt"]!);
        return job;
    }
}
