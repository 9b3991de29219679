using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>The API server refuses a request; the message is its own (a <c>Status</c> object of the Kubernetes API).</summary>
internal sealed class KubernetesError(HttpStatusCode code, string reason, string message, IReadOnlyList<(string Field, string Message)>? causes = null) : Exception(message)
{
    private const int LongestMessage = 1000, LongestCause = 200;

    /// <summary>HTTP status.</summary>
    public HttpStatusCode Code { get; } = code;

    /// <summary>The reason in one word, <c>NotFound</c>, <c>Conflict</c>, <c>Invalid</c>; empty when the answer gave none.</summary>
    public string Reason { get; } = reason;

    /// <summary>The fields that are wrong, where the server names them.</summary>
    public IReadOnlyList<(string Field, string Message)> Causes { get; } = causes ?? [];

    /// <summary>Whether nothing is wrong but that fields were to change that cannot.</summary>
    public bool IsImmutable => Code == HttpStatusCode.UnprocessableEntity && Causes.Count > 0 && Causes.All(cause => cause.Message.EndsWith("immutable", StringComparison.Ordinal));

    /// <summary>Reads an answer that is no success.</summary>
    public static KubernetesError Read(HttpStatusCode code, byte[] body)
    {
        try
        {
            if (JsonNode.Parse(body) is JsonObject status && new LiveObject(status) is { Kind: "Status" } said)
            {
                var causes = said.List("details", "causes").Select(cause => (cause.Text("field") ?? "", Shorten(cause.Text("message") ?? "", LongestCause))).ToList();
                var text = said.Text("message") ?? $"{(int)code}";
                return new KubernetesError(code, said.Text("reason") ?? "", text.Length <= LongestMessage || causes.Count == 0 ? Shorten(text, LongestMessage) : string.Join("; ", causes.Select(cause => $"{cause.Item1}: {cause.Item2}")), causes);
            }
        }
        catch (JsonException)
        {
            // A proxy or a server that is going down: no Status.
        }
        return new KubernetesError(code, "", $"the API server answers {(int)code} {code}");
    }

    /// <summary>Of what is wrong with a whole template the server prints the template, secrets and all, and then what is wrong.</summary>
    private static string Shorten(string text, int longest)
    {
        if (text.Length <= longest) return text;
        var end = text.LastIndexOf("}: ", StringComparison.Ordinal);
        return end > 0 && text.Length - end <= longest ? text[(end + 3)..] : text[..longest] + "…";
    }
}
