namespace UpdateClient.Tests.Install;

/// <summary>Two versions with patch and chunks, published once for all tests that only read them.</summary>
public sealed class PublishedPair : IAsyncLifetime
{
    internal const int Size = 768 << 10;

    internal UpdateScene Scene { get; } = new() { Deltas = true };

    public async ValueTask InitializeAsync()
    {
        await Scene.PublishAsync(await Scene.BuildAsync("1.0", Size, 64 << 10));
        await Scene.PublishAsync(await Scene.BuildAsync("1.1", Size, 64 << 10));
    }

    public ValueTask DisposeAsync()
    {
        Scene.Dispose();
        return ValueTask.CompletedTask;
    }
}
