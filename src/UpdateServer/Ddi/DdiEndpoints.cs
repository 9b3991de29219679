using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Inventory;
using Appliance.UpdateServer.Releases;
using Appliance.UpdateServer.Serve;

namespace Appliance.UpdateServer.Ddi;

/// <summary>Eclipse hawkBit's Direct Device Integration API: what SWUpdate, RAUC's updater and our own devices speak.</summary>
internal static class DdiEndpoints
{
    private const int LargestBody = 256 << 10, LargestReport = 1 << 20;
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(25);
    private static readonly object DeviceItem = new();
    private static readonly JsonSerializerOptions Reading = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) } };

    /// <summary>Adds the endpoints.</summary>
    public static void MapDdi(this WebApplication application)
    {
        var device = application.MapGroup("/{tenant}/controller/v1/{controllerId}").AddEndpointFilter(AuthenticateAsync).ExcludeFromDescription();
        device.MapGet("", async (HttpContext http, DeviceDialogue dialogue) => Documents(http).Tasks(await dialogue.AskAsync(Device(http), http.RequestAborted)));
        device.MapGet("events", WaitAsync);
        device.MapPut("reports/{batch}", async (string batch, HttpContext http, DeviceReports reports) =>
        {
            await reports.TakeAsync(Device(http), batch, await ReadAsync<ReportedState>(http, LargestReport), http.RequestAborted);
        });
        device.MapPut("configData", async (HttpContext http, DeviceDialogue dialogue) => await dialogue.DescribeAsync(Device(http), await ReadAsync<ConfigData>(http), http.RequestAborted));

        device.MapGet("deploymentBase/{actionId:long}", async (long actionId, int? actionHistory, HttpContext http, DeviceDialogue dialogue) =>
            Documents(http).Deployment(await dialogue.FetchAsync(Device(http), actionId, toDo: true, actionHistory ?? 0, http.RequestAborted), "deployment"));
        device.MapPost("deploymentBase/{actionId:long}/feedback", async (long actionId, HttpContext http, DeviceDialogue dialogue) => await dialogue.ReportAsync(Device(http), actionId, await ReadAsync<Feedback>(http), http.RequestAborted));
        device.MapGet("installedBase/{actionId:long}", async (long actionId, int? actionHistory, HttpContext http, DeviceDialogue dialogue) =>
            Documents(http).Deployment(await dialogue.FetchAsync(Device(http), actionId, toDo: false, actionHistory ?? 0, http.RequestAborted), "deployment"));

        device.MapGet("cancelAction/{actionId:long}", async (long actionId, HttpContext http, DeviceDialogue dialogue) => DdiDocuments.Cancel(await dialogue.FetchCancelAsync(Device(http), actionId, http.RequestAborted)));
        device.MapPost("cancelAction/{actionId:long}/feedback", async (long actionId, HttpContext http, DeviceDialogue dialogue) => await dialogue.ReportCancelAsync(Device(http), actionId, await ReadAsync<Feedback>(http), http.RequestAborted));

        device.MapGet("confirmationBase", async (HttpContext http, DeviceDialogue dialogue) => Documents(http).Confirmations(await dialogue.AskAsync(Device(http), http.RequestAborted)));
        device.MapGet("confirmationBase/{actionId:long}", async (long actionId, int? actionHistory, HttpContext http, DeviceDialogue dialogue) =>
            Documents(http).Deployment(await dialogue.FetchAsync(Device(http), actionId, toDo: false, actionHistory ?? 0, http.RequestAborted), "confirmation"));
        device.MapPost("confirmationBase/{actionId:long}/feedback", async (long actionId, HttpContext http, DeviceDialogue dialogue) => await dialogue.ConfirmAsync(Device(http), actionId, await ReadAsync<ConfirmationFeedback>(http), http.RequestAborted));
        device.MapPost("confirmationBase/activateAutoConfirm", (HttpContext http, DeviceDialogue dialogue) => dialogue.SetConfirmsByItselfAsync(Device(http), true, http.RequestAborted));
        device.MapPost("confirmationBase/deactivateAutoConfirm", (HttpContext http, DeviceDialogue dialogue) => dialogue.SetConfirmsByItselfAsync(Device(http), false, http.RequestAborted));

        device.MapGet("softwaremodules/{releaseId:long}/artifacts", async (long releaseId, HttpContext http, ArtifactStore store) => Documents(http).Artifacts(await FindAsync(http, store, releaseId)));
        device.MapGet("softwaremodules/{releaseId:long}/artifacts/{name}", async (long releaseId, string name, HttpContext http, ArtifactStore store) =>
        {
            var artifacts = (await FindAsync(http, store, releaseId)).Artifacts;
            if (artifacts.Find(artifact => artifact.FileName == name) is { } file) return store.Send(file);
            // The name of a file, and what md5sum says of it.
            return artifacts.Find(artifact => artifact.FileName + ".MD5SUM" == name) is { } sum ? Results.Text($"{sum.Md5}  {sum.FileName}") : throw DdiException.NotFound($"artifact {name}");
        });
    }

    /// <summary>
    /// Our own addition: server-sent events (HTML, 9.2) that say <c>poll</c> when there is something to do. It comes through proxies, and
    /// whoever does not have it asks as often as it is told to.
    /// </summary>
    private static async Task<IResult> WaitAsync(HttpContext http, DeviceSignals signals, IHostApplicationLifetime lifetime)
    {
        var device = Device(http);
        var channel = signals.Connect(device.Id);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers["X-Accel-Buffering"] = "no"; // nginx
        try
        {
            await http.Response.WriteAsync("event: poll\ndata:\n\n", end.Token); // for what came before this connection
            while (true)
            {
                await http.Response.Body.FlushAsync(end.Token);
                using var beat = CancellationTokenSource.CreateLinkedTokenSource(end.Token);
                beat.CancelAfter(Heartbeat);
                bool signalled;
                try
                {
                    if (!await channel.Reader.WaitToReadAsync(beat.Token)) break; // it has connected anew
                    signalled = channel.Reader.TryRead(out _);
                }
                catch (OperationCanceledException) when (!end.IsCancellationRequested)
                {
                    signalled = false;
                }
                await http.Response.WriteAsync(signalled ? "event: poll\ndata:\n\n" : ":\n\n", end.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The device went, or the server ends.
        }
        finally
        {
            signals.Disconnect(device.Id, channel);
        }
        return Results.Empty;
    }

    private static async Task<Release> FindAsync(HttpContext http, ArtifactStore store, long releaseId) =>
        await store.FindAsync(releaseId, Device(http), http.RequestAborted) ?? throw DdiException.NotFound($"software module {releaseId} that was given to {Device(http).ControllerId}");

    /// <summary>Finds out who asks, and says errors as DDI does.</summary>
    private static async ValueTask<object?> AuthenticateAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var http = invocation.HttpContext;
        var options = http.RequestServices.GetRequiredService<ServeOptions>();
        try
        {
            var controllerId = (string)http.Request.RouteValues["controllerId"]!;
            if (!string.Equals((string?)http.Request.RouteValues["tenant"], options.Tenant, StringComparison.OrdinalIgnoreCase)) throw DdiException.NotFound("such tenant");
            http.Items[DeviceItem] = await http.RequestServices.GetRequiredService<DeviceAuthentication>().FindAsync(http, controllerId, http.RequestAborted)
                ?? throw (!http.RequestServices.GetRequiredService<FailedLogIns>().TryCount(http) ? DdiException.TooMany() : new DdiException(StatusCodes.Status401Unauthorized, "rest.unauthorized", $"{controllerId} is not known, or it did not prove that it is the one: Authorization: TargetToken, GatewayToken, or a client certificate."));
            return await next(invocation) is { } result ? result is JsonNode node ? Results.Text(node.ToJsonString(), "application/hal+json") : result : Results.Ok();
        }
        catch (DdiException e)
        {
            return Refused(e);
        }
        catch (UserError e)
        {
            return Refused(DdiException.BadRequest(e.Message));
        }
    }

    private static IResult Refused(DdiException e) => Results.Json(new JsonObject { ["exceptionClass"] = "io.appliance.server.DdiException", ["errorCode"] = e.Code, ["message"] = e.Message }, statusCode: e.Status);

    private static Device Device(HttpContext http) => (Device)http.Items[DeviceItem]!;

    private static DdiDocuments Documents(HttpContext http)
    {
        var options = http.RequestServices.GetRequiredService<ServeOptions>();
        return new DdiDocuments($"{http.Request.Scheme}://{http.Request.Host}/{options.Tenant}/controller/v1/{Uri.EscapeDataString(Device(http).ControllerId)}", options, http.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow());
    }

    private static async Task<T> ReadAsync<T>(HttpContext http, int limit = LargestBody) where T : class
    {
        if (http.Request.ContentLength > limit) throw TooLarge(limit);
        try
        {
            // Clients say application/json, or hal+json, or nothing.
            return await JsonSerializer.DeserializeAsync<T>(http.Request.Body, Reading, http.RequestAborted) ?? throw DdiException.BadRequest("The body is empty.");
        }
        catch (JsonException e)
        {
            throw DdiException.BadRequest($"The body is no JSON as it should be: {e.Message}");
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            throw TooLarge(limit); // unpacked, or sent without saying how long it is
        }
        catch (InvalidDataException e)
        {
            throw DdiException.BadRequest($"The body cannot be unpacked: {e.Message}");
        }
    }

    private static DdiException TooLarge(int limit) => new(StatusCodes.Status413PayloadTooLarge, "rest.body.tooLarge", $"A body has at most {limit} bytes.");
}
