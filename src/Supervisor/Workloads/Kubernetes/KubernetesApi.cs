using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>
/// The Kubernetes API as far as releases need it: server-side apply, get, list and delete of unstructured objects. A request
/// is made again while the server restarts; all of them can be, for applying twice is applying once.
/// </summary>
internal sealed class KubernetesApi : IDisposable
{
    /// <summary>A server that restarts is waited for this long.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Status 500 is what a server says that falters, but also of a manifest with a misspelt field; so not for long.</summary>
    public static readonly TimeSpan PatienceWithFaults = TimeSpan.FromSeconds(10);

    private const int LargestAnswer = 32 << 20, PageSize = 200;
    private static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(40), ShortestPause = TimeSpan.FromMilliseconds(250), LongestPause = TimeSpan.FromSeconds(5);
    private static readonly MediaTypeHeaderValue ApplyPatch = new("application/apply-patch+yaml");
    private readonly Dictionary<string, IReadOnlyDictionary<string, ApiResource>> _resources = new(StringComparer.Ordinal);
    private readonly HttpClient _http;
    private readonly TimeProvider _time;

    /// <summary>Makes a client; nothing is sent yet.</summary>
    public KubernetesApi(KubeConfig config, TimeProvider time)
    {
        var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10), UseProxy = false };
        if (config.AuthorityPem is { } authority)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPem(authority);
            handler.SslOptions.CertificateChainPolicy = policy;
        }
        if (config.ClientCertificate() is { } client) handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => client;
        _http = new HttpClient(handler) { BaseAddress = config.Server, Timeout = RequestLimit, MaxResponseContentBufferSize = LargestAnswer };
        if (config.Token is { } token) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        _time = time;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>Makes an object what its manifest says, as far as it says it, and gives what came of it.</summary>
    /// <param name="manifest">The object.</param>
    /// <param name="manager">Who these fields belong to (server-side apply).</param>
    /// <param name="dryRun">Only asks whether it would do.</param>
    /// <param name="force">Takes fields over that somebody else manages.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <exception cref="KubernetesError">The server refuses it.</exception>
    public async Task<JsonObject> ApplyAsync(JsonObject manifest, string manager, bool dryRun, bool force, CancellationToken cancellationToken)
    {
        var identity = ObjectIdentity.Of(manifest);
        var resource = await ResourceAsync(identity, cancellationToken);
        var query = $"?fieldManager={Uri.EscapeDataString(manager)}&force={(force ? "true" : "false")}{(dryRun ? "&dryRun=All" : "")}";
        return await SendAsync(HttpMethod.Patch, resource.At(SpaceOf(identity), identity.Name) + query, manifest, ApplyPatch, cancellationToken);
    }

    /// <summary>An object as it is now, or null when there is none, nor a kind like it.</summary>
    public async Task<JsonObject?> FindAsync(ObjectIdentity identity, CancellationToken cancellationToken)
    {
        try
        {
            var resource = await ResourceAsync(identity, cancellationToken);
            return await SendAsync(HttpMethod.Get, resource.At(SpaceOf(identity), identity.Name), null, null, cancellationToken);
        }
        catch (KubernetesError e) when (e.Code == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>Deletes an object; what it owns goes after it. False when there was none.</summary>
    public async Task<bool> DeleteAsync(ObjectIdentity identity, CancellationToken cancellationToken)
    {
        try
        {
            var resource = await ResourceAsync(identity, cancellationToken);
            await SendAsync(HttpMethod.Delete, resource.At(SpaceOf(identity), identity.Name) + "?propagationPolicy=Background", null, null, cancellationToken);
            return true;
        }
        catch (KubernetesError e) when (e.Code == HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    /// <summary>The objects of a kind in a namespace (all of them when null) whose labels and fields match.</summary>
    public async Task<IReadOnlyList<JsonObject>> ListAsync(string apiVersion, string kind, string? space, string selector, CancellationToken cancellationToken, string fields = "")
    {
        var resource = await ResourceAsync(new ObjectIdentity(apiVersion, kind, space, ""), cancellationToken);
        var found = new List<JsonObject>();
        var next = "";
        do
        {
            var page = await SendAsync(HttpMethod.Get, $"{resource.At(space, null)}?limit={PageSize}&labelSelector={Uri.EscapeDataString(selector)}{(fields.Length > 0 ? $"&fieldSelector={Uri.EscapeDataString(fields)}" : "")}{(next.Length > 0 ? $"&continue={Uri.EscapeDataString(next)}" : "")}", null, null, cancellationToken);
            foreach (var item in page["items"] as JsonArray ?? [])
            {
                if (item?.DeepClone() is not JsonObject value) continue;
                (value["apiVersion"], value["kind"]) = (apiVersion, kind); // items of a list do not say what they are
                found.Add(value);
            }
            next = new LiveObject(page).Text("metadata", "continue") ?? "";
        }
        while (next.Length > 0);
        return found;
    }

    /// <summary>The last lines that a container of a pod printed, each with its time.</summary>
    public async Task<IReadOnlyList<string>> ReadLogAsync(ObjectIdentity pod, string container, int lines, CancellationToken cancellationToken)
    {
        var path = (await ResourceAsync(pod, cancellationToken)).At(SpaceOf(pod), pod.Name) + $"/log?container={Uri.EscapeDataString(container)}&tailLines={lines}&timestamps=true";
        var text = await TryAsync(async () =>
        {
            using var answer = await _http.GetAsync(path, cancellationToken);
            var bytes = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
            return answer.IsSuccessStatusCode ? Encoding.UTF8.GetString(bytes) : throw KubernetesError.Read(answer.StatusCode, bytes);
        }, cancellationToken);
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Asks a pod to leave (Eviction API). It is asked once: that its disruption budget refuses (429) is an answer.</summary>
    /// <exception cref="KubernetesError">It may not leave now, or is not there.</exception>
    /// <exception cref="HttpRequestException">The server does not answer.</exception>
    public async Task EvictAsync(string space, string pod, CancellationToken cancellationToken)
    {
        // Servers before 1.22 know the older form alone, those since 1.25 perhaps the newer.
        if (!await TryEvictAsync("policy/v1")) await TryEvictAsync("policy/v1beta1");

        async Task<bool> TryEvictAsync(string apiVersion)
        {
            var eviction = new JsonObject { ["apiVersion"] = apiVersion, ["kind"] = "Eviction", ["metadata"] = new JsonObject { ["namespace"] = space, ["name"] = pod } };
            using var body = new StringContent(eviction.ToJsonString(), Encoding.UTF8, "application/json");
            using var answer = await _http.PostAsync($"api/v1/namespaces/{Uri.EscapeDataString(space)}/pods/{Uri.EscapeDataString(pod)}/eviction", body, cancellationToken);
            if (answer.IsSuccessStatusCode) return true;
            if (answer.StatusCode == HttpStatusCode.BadRequest && apiVersion == "policy/v1") return false;
            throw KubernetesError.Read(answer.StatusCode, await answer.Content.ReadAsByteArrayAsync(cancellationToken));
        }
    }

    /// <summary>Waits until the server says that it is ready.</summary>
    /// <exception cref="EngineUnavailableException">It does not in time.</exception>
    public Task RequireReadyAsync(CancellationToken cancellationToken) => TryAsync(async () =>
    {
        using var answer = await _http.GetAsync("readyz", cancellationToken);
        answer.EnsureSuccessStatusCode();
        return true;
    }, cancellationToken);

    /// <summary>Whether the server knows a kind, now.</summary>
    public async Task<bool> KnowsAsync(ObjectIdentity identity, CancellationToken cancellationToken)
    {
        try
        {
            await ResourceAsync(identity, cancellationToken);
            return true;
        }
        catch (KubernetesError e) when (e.Code == HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    /// <summary>What an object is by, whatever the version of its API: its namespace is empty for a kind that has none.</summary>
    public async Task<(string Group, string Kind, string Namespace, string Name)> KeyOfAsync(ObjectIdentity identity, CancellationToken cancellationToken)
    {
        // Of a kind that is not known any more nothing is left, either.
        var namespaced = !await KnowsAsync(identity, cancellationToken) || (await ResourceAsync(identity, cancellationToken)).Namespaced;
        return (identity.Group, identity.Kind, namespaced ? SpaceOf(identity) : "", identity.Name);
    }

    /// <summary>The namespace of an object of a namespaced kind.</summary>
    public static string SpaceOf(ObjectIdentity identity) => identity.Namespace ?? "default";

    private async Task<ApiResource> ResourceAsync(ObjectIdentity identity, CancellationToken cancellationToken)
    {
        // A kind that is not there may have come since: its definition may be part of the release.
        if (!_resources.TryGetValue(identity.ApiVersion, out var kinds) || !kinds.ContainsKey(identity.Kind)) _resources[identity.ApiVersion] = kinds = await DiscoverAsync(identity.ApiVersion, cancellationToken);
        return kinds.GetValueOrDefault(identity.Kind) ?? throw new KubernetesError(HttpStatusCode.NotFound, "NotFound", $"the cluster knows no kind {identity.Kind} in {identity.ApiVersion}");
    }

    private async Task<IReadOnlyDictionary<string, ApiResource>> DiscoverAsync(string apiVersion, CancellationToken cancellationToken)
    {
        var path = apiVersion.Contains('/') ? $"apis/{apiVersion}" : $"api/{apiVersion}";
        var kinds = new Dictionary<string, ApiResource>(StringComparer.Ordinal);
        foreach (var resource in new LiveObject(await SendAsync(HttpMethod.Get, path, null, null, cancellationToken)).List("resources"))
            if (resource.Text("name") is { } name && !name.Contains('/') && resource.Text("kind") is { } kind) kinds.TryAdd(kind, new ApiResource(path, name, resource.Is("namespaced")));
        return kinds;
    }

    private Task<JsonObject> SendAsync(HttpMethod method, string path, JsonObject? body, MediaTypeHeaderValue? type, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8);
            request.Content.Headers.ContentType = type;
        }
        using var answer = await _http.SendAsync(request, cancellationToken);
        var bytes = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
        if (!answer.IsSuccessStatusCode) throw KubernetesError.Read(answer.StatusCode, bytes);
        return JsonNode.Parse(bytes) as JsonObject ?? throw new JsonException("the answer is no object");
    }, cancellationToken);

    /// <summary>Tries again while the server is not there or overworked.</summary>
    private async Task<T> TryAsync<T>(Func<Task<T>> request, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        for (var pause = ShortestPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                return await request();
            }
            catch (Exception e) when (IsTransient(e) && !cancellationToken.IsCancellationRequested)
            {
                var waited = _time.GetElapsedTime(start);
                if (e is KubernetesError { Code: HttpStatusCode.InternalServerError } && waited > PatienceWithFaults) throw;
                if (waited > Patience) throw Unavailable(e);
            }
            catch (HttpRequestException e) when (IsDistrusted(e))
            {
                throw Unavailable(e); // waiting makes no other authority of it
            }
            await Task.Delay(pause, _time, cancellationToken);
        }
    }

    private EngineUnavailableException Unavailable(Exception e) => new($"The API server at {_http.BaseAddress} does not answer: {e.Message}", e);

    /// <summary>A server with a certificate of somebody else; one that goes down ends a handshake, too, but not like that.</summary>
    private static bool IsDistrusted(HttpRequestException e) => e is { HttpRequestError: HttpRequestError.SecureConnectionError, InnerException: System.Security.Authentication.AuthenticationException };

    private static bool IsTransient(Exception e) => e switch
    {
        KubernetesError refusal => refusal.Code is HttpStatusCode.TooManyRequests or HttpStatusCode.InternalServerError or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout,
        HttpRequestException http => !IsDistrusted(http),
        IOException or OperationCanceledException or JsonException => true,
        _ => false,
    };
}
