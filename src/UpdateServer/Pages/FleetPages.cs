using System.Reflection;
using System.Security.Cryptography;
using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;

namespace Appliance.UpdateServer.Pages;

/// <summary>The fleet's pages, made on the server. Whoever looks at them has logged in with a key.</summary>
internal static class FleetPages
{
    private const string Policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    private static readonly (string File, string Type)[] Assets = [("fleet.css", "text/css"), ("fleet.js", "text/javascript"), ("icon.svg", "image/svg+xml")];

    /// <summary>Adds what they need.</summary>
    public static void AddPages(this IServiceCollection services)
    {
        services.AddScoped<PageVisitor>();
        services.AddRazorComponents();
    }

    /// <summary>Adds them.</summary>
    public static void MapPages(this WebApplication application)
    {
        foreach (var (file, type) in Assets)
        {
            var content = Read(file);
            var tag = new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(content))}\"");
            application.MapGet($"/assets/{file}", (HttpContext http) =>
            {
                http.Response.Headers.CacheControl = "no-cache";
                return Results.Bytes(content, type, entityTag: tag);
            }).ExcludeFromDescription();
        }
        var strangers = application.MapGroup("").AddEndpointFilter(AnswerAsync).ExcludeFromDescription();
        strangers.MapGet("/login", () => new RazorComponentResult<LoginPage>());
        strangers.MapPost("/login", LogInAsync).RequireRateLimiting(RateLimits.Strangers).DisableAntiforgery();

        var pages = application.MapGroup("").AddEndpointFilter(AnswerAsync).AddEndpointFilter(RequireKeyAsync).ExcludeFromDescription().DisableAntiforgery();
        pages.MapGet("/", () => new RazorComponentResult<OverviewPage>());
        pages.MapGet("/devices", (string? search, string? filter, int? skip) => Page<DevicesPage>((nameof(DevicesPage.Search), search ?? ""), (nameof(DevicesPage.Filter), filter ?? ""), (nameof(DevicesPage.Skip), skip ?? 0)));
        pages.MapGet("/devices/{id}", (string id) => Page<DevicePage>((nameof(DevicePage.Id), id)));
        pages.MapGet("/rollouts", () => new RazorComponentResult<RolloutsPage>());
        pages.MapGet("/rollouts/new", (long? release) => Page<NewRolloutPage>((nameof(NewRolloutPage.Release), release)));
        pages.MapGet("/rollouts/{id:long}", (long id, string? state) => Page<RolloutPage>((nameof(RolloutPage.Id), id), (nameof(RolloutPage.State), state)));
        pages.MapGet("/releases", () => new RazorComponentResult<ReleasesPage>());
        pages.MapGet("/audit", (long? before) => Page<AuditPage>((nameof(AuditPage.Before), before)));
        pages.MapGet("/access", () => new RazorComponentResult<AccessPage>());
        pages.MapPost("/logout", async (HttpContext http, PageVisitor visitor, KeyAuthentication keys) =>
        {
            await PageSession.EndAsync(http, keys, visitor.Key!);
            return SeeOther("/login");
        });
        PageForms.Map(pages);
    }

    /// <summary>A page with what it shows.</summary>
    public static RazorComponentResult<T> Page<T>(params (string Name, object? Value)[] parameters) where T : IComponent => new(parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value));

    /// <summary>Sends the browser to a page after a form (RFC 9110, 15.4.4).</summary>
    public static IResult SeeOther(string path) => new SeeOtherResult(path);

    private static async Task<IResult> LogInAsync(HttpContext http, KeyAuthentication keys)
    {
        var form = await http.Request.ReadFormAsync(http.RequestAborted);
        if (await keys.FindAsync(form["key"].ToString().Trim(), http.RequestAborted) is not { } key)
        {
            http.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return Page<LoginPage>((nameof(LoginPage.Message), "This key does not hold."));
        }
        await PageSession.BeginAsync(http, keys, key);
        return SeeOther("/");
    }

    private static async ValueTask<object?> RequireKeyAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var http = invocation.HttpContext;
        var visitor = http.RequestServices.GetRequiredService<PageVisitor>();
        visitor.Stop = http.RequestAborted;
        visitor.Key = await PageSession.FindAsync(http, http.RequestServices.GetRequiredService<KeyAuthentication>());
        if (visitor.Key is null) return SeeOther("/login");
        if (http.GetEndpoint()?.Metadata.GetMetadata<RoleRequired>() is not { } required || visitor.May(required.Role)) return await next(invocation);
        http.Response.StatusCode = StatusCodes.Status403Forbidden;
        return Page<MessagePage>((nameof(MessagePage.Title), "Not yours to do"), (nameof(MessagePage.Message), $"The key {visitor.Key.Name} is one of a {Words.Word(visitor.Key.Role)}; this needs {Words.Word(required.Role)}."));
    }

    /// <summary>Shows the page, or why there is none.</summary>
    private static async ValueTask<object?> AnswerAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var http = invocation.HttpContext;
        Protect(http.Response);
        try
        {
            if (!HttpMethods.IsGet(http.Request.Method))
            {
                if (!PageSession.IsFromHere(http.Request)) throw new UserError("The form was not sent by a page of this server.");
                if (!http.Request.HasFormContentType) throw new UserError("The form was not sent as one.");
            }
            // Pages are made when they are sent, whole or not at all.
            if (await next(invocation) is IResult result) await result.ExecuteAsync(http);
        }
        catch (MissingException e)
        {
            await ShowAsync(StatusCodes.Status404NotFound, "Not here", e.Message, null);
        }
        catch (UserError e)
        {
            await ShowAsync(StatusCodes.Status400BadRequest, "This does not go", e.Message, e.Hint);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // Nobody waits for it any longer.
        }
        return Results.Empty;

        async Task ShowAsync(int status, string title, string message, string? hint)
        {
            http.Response.Clear();
            Protect(http.Response);
            http.Response.StatusCode = status;
            // Who has begun to make a page makes no other one.
            var before = http.RequestServices;
            await using var scope = before.CreateAsyncScope();
            scope.ServiceProvider.GetRequiredService<PageVisitor>().Key = before.GetRequiredService<PageVisitor>().Key;
            var back = http.Request.Headers.Referer.ToString() is { Length: > 0 } referer && Uri.TryCreate(referer, UriKind.Absolute, out var from) && from.Authority == http.Request.Host.Value ? from.PathAndQuery : "/";
            http.RequestServices = scope.ServiceProvider;
            try
            {
                await Page<MessagePage>((nameof(MessagePage.Title), title), (nameof(MessagePage.Message), message), (nameof(MessagePage.Hint), hint), (nameof(MessagePage.Back), back)).ExecuteAsync(http);
            }
            finally
            {
                http.RequestServices = before;
            }
        }
    }

    private static void Protect(HttpResponse response) =>
        (response.Headers.ContentSecurityPolicy, response.Headers.XContentTypeOptions, response.Headers.CacheControl, response.Headers["Referrer-Policy"]) = (Policy, "nosniff", "no-store", "same-origin");

    private static byte[] Read(string file)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"assets/{file}") ?? throw new InvalidOperationException($"{file} is not embedded");
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }

    private sealed class SeeOtherResult(string path) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            (httpContext.Response.StatusCode, httpContext.Response.Headers.Location) = (StatusCodes.Status303SeeOther, path);
            return Task.CompletedTask;
        }
    }
}
