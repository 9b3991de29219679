using System.Text.Json;

namespace Appliance.Supervisor.Workloads.Podman;

/// <summary>A container as <c>podman ps --format json</c> lists it.</summary>
internal sealed record PodmanContainer
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Its name: the pod's, a dash, and its own.</summary>
    public required string Name { get; init; }

    /// <summary><c>created</c>, <c>running</c>, <c>exited</c>, …</summary>
    public required string State { get; init; }

    /// <summary>The state in words; the health, when it is checked, in brackets at the end.</summary>
    public required string Status { get; init; }

    /// <summary>How its last run ended.</summary>
    public required int ExitCode { get; init; }

    /// <summary>How often podman has started it again.</summary>
    public required int Restarts { get; init; }

    /// <summary>When its last run began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Labels, ours among them.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>Reads podman's list.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static IReadOnlyList<PodmanContainer> Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return [.. document.RootElement.EnumerateArray().Where(item => !item.GetProperty("IsInfra").GetBoolean()).Select(Read)];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or ArgumentOutOfRangeException)
        {
            throw new InvalidDataException($"podman's list of containers cannot be read: {e.Message}", e);
        }
    }

    private static PodmanContainer Read(JsonElement item) => new()
    {
        Id = item.GetProperty(nameof(Id)).GetString() ?? "",
        Name = item.GetProperty("Names").EnumerateArray().FirstOrDefault().GetString() ?? "",
        State = item.GetProperty(nameof(State)).GetString() ?? "",
        Status = item.GetProperty(nameof(Status)).GetString() ?? "",
        ExitCode = item.GetProperty(nameof(ExitCode)).GetInt32(),
        Restarts = item.GetProperty(nameof(Restarts)).GetInt32(),
        StartedAt = DateTimeOffset.FromUnixTimeSeconds(item.GetProperty(nameof(StartedAt)).GetInt64()),
        Labels = item.GetProperty(nameof(Labels)) is { ValueKind: JsonValueKind.Object } labels ? labels.EnumerateObject().ToDictionary(label => label.Name, label => label.Value.GetString() ?? "") : new Dictionary<string, string>(),
    };
}
