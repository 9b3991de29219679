using System.Text.Json.Nodes;

namespace Appliance.SystemTests.Updates;

/// <summary>
/// A device that went from the first version to the good one by itself, as the repository offered it. Tests go on from a copy. It is
/// made, once, for the first test that asks for it.
/// </summary>
public sealed class UpdatedDevice : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("updated");

    private Task? _ready;

    internal UpdateRepository Repository { get; } = new();

    /// <summary>What the supervisor said before and after.</summary>
    internal JsonNode Before { get; private set; } = null!;
    internal JsonNode After { get; private set; } = null!;

    /// <summary>What became of data and settings.</summary>
    internal string Kept { get; private set; } = "";
    internal string Hostname { get; private set; } = "";
    internal string Snapshots { get; private set; } = "";

    /// <summary>What going back was answered with: the command's arguments, its exit code and what it said.</summary>
    internal IReadOnlyList<(string Command, int ExitCode, string Said)> Refusals { get; private set; } = [];

    /// <summary>The version that waits after that.</summary>
    internal string? PendingAfterRefusals { get; private set; }

    private string State => Path.Combine(_folder.FullName, "state.qcow2");

    /// <summary>Makes it.</summary>
    internal Task ReadyAsync() => _ready ??= MakeAsync();

    private async Task MakeAsync()
    {
        await Repository.InitializeAsync();
        await using var machine = await RunningMachine.StartAsync("updated-device", Repository.Disk(UpdateRepository.First), State);
        await machine.WaitForGoodBootAsync();
        Before = (await machine.ControlAsync())!;
        await machine.RunAsync("echo data > /var/lib/kept; echo kept-name > /etc/hostname; sync");
        await machine.WaitAsync("version 1.1, kept", async () => await machine.ControlAsync() is { } status && (string?)status["version"] == UpdateRepository.Good && (string?)status["updateState"] == "idle");
        After = (await machine.ControlAsync())!;
        Kept = await machine.RunAsync("cat /var/lib/kept");
        Hostname = await machine.RunAsync("cat /etc/hostname");
        Snapshots = await machine.RunAsync("ls /var/lib/appliance/snapshots");
        await AskToGoBackAsync(machine);
        await machine.ShutDownAsync();
    }

    /// <summary>Here, where a machine is up anyway: a boot takes minutes.</summary>
    private async Task AskToGoBackAsync(RunningMachine machine)
    {
        var refusals = new List<(string, int, string)>();
        foreach (var command in new[] { $"install --version {UpdateRepository.First}", $"install {Repository.OldAddress}", $"check --source {Repository.OldAddress}" })
        {
            var answer = await machine.AskAsync(command);
            refusals.Add((command, answer.ExitCode, answer.Said));
        }
        Refusals = refusals;
        PendingAfterRefusals = (string?)(await machine.ControlAsync())!["pendingVersion"];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Repository.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    /// <summary>Builds a version and publishes it in its channel, once.</summary>
    internal async Task PublishAsync(string version)
    {
        await ReadyAsync();
        await Repository.PublishAsync(version);
    }

    /// <summary>Boots a copy of the device.</summary>
    internal async Task<RunningMachine> StartAsync(string name, bool watchdog = false)
    {
        await ReadyAsync();
        var copy = Path.Combine(_folder.FullName, $"{name}.qcow2");
        foreach (var suffix in new[] { "", ".vars", ".base" }) File.Copy(State + suffix, copy + suffix, overwrite: true);
        var machine = await RunningMachine.StartAsync(name, Repository.Disk(UpdateRepository.First), copy, watchdog);
        await machine.WaitForGoodBootAsync();
        return machine;
    }
}
