namespace Appliance.UpdateServer.Ddi;

/// <summary>The result in a <see cref="FeedbackStatus"/>.</summary>
internal sealed record FeedbackResult
{
    /// <summary><c>success</c>, <c>failure</c> or <c>none</c>.</summary>
    public string? Finished { get; init; }

    /// <summary>How far it is.</summary>
    public FeedbackProgress? Progress { get; init; }
}
