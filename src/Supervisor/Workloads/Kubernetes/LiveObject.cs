using System.Globalization;
using System.Text.Json.Nodes;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>An object as the API server tells it. Whatever a member should be and is not, is as if it were not there.</summary>
internal sealed class LiveObject(JsonObject json)
{
    /// <summary>API group; empty for the core group.</summary>
    public string Group => Text("apiVersion") is { } version && version.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash ? version[..slash] : "";

    /// <summary>Kind.</summary>
    public string Kind => Text("kind") ?? "";

    /// <summary>A text at a path.</summary>
    public string? Text(params ReadOnlySpan<string> path) => At(path) is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    /// <summary>A whole number at a path.</summary>
    public long? Number(params ReadOnlySpan<string> path) => At(path) is JsonValue value && value.TryGetValue(out long number) ? number : null;

    /// <summary>Whether there is something at a path.</summary>
    public bool Has(params ReadOnlySpan<string> path) => At(path) is not null;

    /// <summary>Whether there is a <c>true</c> at a path.</summary>
    public bool Is(params ReadOnlySpan<string> path) => At(path) is JsonValue value && value.TryGetValue(out bool yes) && yes;

    /// <summary>The objects of a list at a path.</summary>
    public IEnumerable<LiveObject> List(params ReadOnlySpan<string> path) => (At(path) as JsonArray)?.OfType<JsonObject>().Select(item => new LiveObject(item)) ?? [];

    /// <summary>A condition of the status, or null.</summary>
    public Condition? FindCondition(string type)
    {
        var found = List("status", "conditions").FirstOrDefault(condition => condition.Text("type") == type);
        return found is null ? null : new Condition(found.Text("status") == "True", found.Text("status") == "False", found.Text("reason") ?? "", found.Text("message") ?? "", Moment(found.Text("lastTransitionTime")), Moment(found.Text("lastHeartbeatTime")));
    }

    /// <summary>Its selector as a query has it, <c>app=web,tier=front</c>; empty when it selects by expressions alone.</summary>
    public string MatchLabels() => string.Join(',', (At(["spec", "selector", "matchLabels"]) as JsonObject ?? []).Where(label => label.Value is JsonValue).Select(label => $"{label.Key}={label.Value}"));

    /// <summary>Whether its controller has not seen the last change yet.</summary>
    public bool IsUnobserved => Number("status", "observedGeneration") is { } observed && Number("metadata", "generation") is { } wanted && observed != wanted;

    /// <summary>Whether another object owns it.</summary>
    public bool IsOwnedBy(LiveObject owner) => List("metadata", "ownerReferences").Any(reference => reference.Text("uid") == owner.Text("metadata", "uid"));

    /// <summary>When the object was made.</summary>
    public DateTimeOffset? Created => Moment(Text("metadata", "creationTimestamp"));

    private JsonNode? At(ReadOnlySpan<string> path)
    {
        JsonNode? at = json;
        foreach (var member in path) at = (at as JsonObject)?[member];
        return at;
    }

    private static DateTimeOffset? Moment(string? text) => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment) ? moment : null;

    /// <summary>A condition: <c>Unknown</c> is neither true nor false. Only nodes tell when it was said last.</summary>
    public sealed record Condition(bool IsTrue, bool IsFalse, string Reason, string Message, DateTimeOffset? Since, DateTimeOffset? SaidAt = null)
    {
        /// <summary>Its message, else its reason, else some words.</summary>
        public string Say(string otherwise) => Message.Length > 0 ? Message : Reason.Length > 0 ? Reason : otherwise;
    }
}
