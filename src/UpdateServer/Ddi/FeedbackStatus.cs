namespace Appliance.UpdateServer.Ddi;

/// <summary>The status of a <see cref="Feedback"/>.</summary>
internal sealed record FeedbackStatus
{
    /// <summary>How it goes: <c>proceeding</c>, <c>closed</c>, ….</summary>
    public string? Execution { get; init; }

    /// <summary>How it went.</summary>
    public FeedbackResult? Result { get; init; }

    /// <summary>More, in words.</summary>
    public IReadOnlyList<string>? Details { get; init; }
}
