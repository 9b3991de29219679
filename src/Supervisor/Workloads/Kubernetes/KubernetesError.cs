using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>The API server refuses a request; the message is its own (a <c>Status</c> object of the Kubernetes API).</summary>
internal sealed class KubernetesError(HttpStatusCode code, string reason, string message) : Exception(message)
{
    private const int LongestMessage = 2000;

    /// <summary>HTTP status.</summary>
    public HttpStatusCode Code { get; } = code;

    /// <summary>The reason in one word, <c>NotFound</c>, <c>Conflict</c>, <c>Invalid</c>; empty when the answer gave none.</summary>
    public string Reason { get; } = reason;

    /// <summary>Reads an answer that is no success.</summary>
    public static KubernetesError Read(HttpStatusCode code, byte[] body)
    {
        try
        {
            if (JsonNode.Parse(body) is JsonObject status && new LiveObject(status) is { Kind: "Status" } said)
                return new KubernetesError(code, said.Text("reason") ?? "", Shorten(said.Text("message") ?? $"{(int)code}"));
        }
        catch (JsonException)
        {
            // A proxy or a server that is going down: no Status.
        }
        return new KubernetesError(code, "", $"the API server answers {(int)code} {code}");
    }

    private static string Shorten(string text) => text.Length <= LongestMessage ? text : text[..LongestMessage] + "…";
}
