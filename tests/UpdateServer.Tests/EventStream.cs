namespace UpdateServer.Tests;

/// <summary>Server-sent events, a line at a time.</summary>
internal sealed class EventStream(HttpResponseMessage answer, StreamReader reader) : IAsyncDisposable
{
    /// <summary>The next line that is neither empty nor data; null at the end.</summary>
    public async Task<string?> NextAsync()
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        while (await reader.ReadLineAsync(limit.Token) is { } line)
            if (line.StartsWith("event:", StringComparison.Ordinal)) return line;
        return null;
    }

    public ValueTask DisposeAsync()
    {
        reader.Dispose();
        answer.Dispose();
        return ValueTask.CompletedTask;
    }
}
