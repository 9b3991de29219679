using System.Text.Json.Nodes;
using Appliance.SystemTests.Updates;

namespace Appliance.SystemTests;

/// <summary>The small image for <c>uefi-arm64</c>, built on whatever machine this is. Made by the first explicit test that needs it.</summary>
public sealed class Arm64Repository : IAsyncDisposable
{
    private readonly UpdateRepository _repository = new("test-arm64", "uefi-arm64", architecture: "arm64", slot: "768MiB");
    private Task? _ready;

    /// <summary>Builds both versions and publishes them.</summary>
    internal Task ReadyAsync() => _ready ??= _repository.InitializeAsync().AsTask();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _repository.DisposeAsync();

    /// <summary>The disk image of a version.</summary>
    internal string Disk(string version) => _repository.Disk(version);

    /// <summary>The folder with the result of a stage of the last build.</summary>
    internal string Stage(string name)
    {
        var record = JsonNode.Parse(File.ReadAllText(Path.Combine(Path.GetDirectoryName(Disk(UpdateRepository.Good))!, "build.json")))!;
        return Product.Stage(record, name);
    }
}
