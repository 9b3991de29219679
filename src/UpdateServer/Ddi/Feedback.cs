using Appliance.UpdateServer.Fleet;

namespace Appliance.UpdateServer.Ddi;

/// <summary>What a device says about an action (DDI, <c>…/feedback</c>).</summary>
internal sealed record Feedback
{
    /// <summary>Status.</summary>
    public FeedbackStatus? Status { get; init; }

    /// <summary>The state that it brings the action to; null when DDI knows no such execution.</summary>
    public ActionState? State => Status?.Execution?.ToLowerInvariant() switch
    {
        "closed" => string.Equals(Status.Result?.Finished, "failure", StringComparison.OrdinalIgnoreCase) ? ActionState.Failed : ActionState.Finished,
        "canceled" => ActionState.Canceled,
        "downloaded" => ActionState.Downloaded,
        "proceeding" or "scheduled" or "resumed" or "download" or "rejected" => ActionState.Running,
        _ => null,
    };

    /// <summary>Its words, a line each, bounded.</summary>
    public string Words()
    {
        const int longest = 4000;
        var words = string.Join('\n', Status?.Details ?? []);
        if (Status?.Result?.Progress is { Cnt: > 0, Of: > 0 } progress) words = $"{progress.Cnt} of {progress.Of}{(words.Length == 0 ? "" : ": " + words)}";
        words = words.Replace('\0', ' '); // which PostgreSQL does not take
        return words.Length <= longest ? words : words[..longest];
    }
}
