using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Certificates;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Releases;

namespace Appliance.UpdateServer.Management;

/// <summary>The REST API for people and CI. Every endpoint says what role it takes; errors are problem documents (RFC 9457).</summary>
internal static class ManagementApi
{
    private const int MostRows = 500;

    private static readonly object KeyItem = new();

    /// <summary>Adds the endpoints.</summary>
    public static void MapManagement(this WebApplication application)
    {
        var api = application.MapGroup("/api/v1").AddEndpointFilter(AuthorizeAsync);
        DeviceEndpoints.Map(api);
        ReleaseEndpoints.Map(api);
        RolloutEndpoints.Map(api);
        AccessEndpoints.Map(api);
        if (application.Services.GetService<DeviceCertificates>() is not null) CertificateEndpoints.Map(api);
        if (application.Services.GetService<RepositoryPublisher>() is not null) RepositoryEndpoints.Map(api);
    }

    /// <summary>Lets only keys of a role, or of one that may do more, in.</summary>
    public static TBuilder Requires<TBuilder>(this TBuilder endpoint, Role role) where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(new RoleRequired(role));

    /// <summary>How many rows a request gives: as many as were asked for, within bounds.</summary>
    public static int Rows(int? asked, int usual) => Math.Clamp(asked ?? usual, 1, MostRows);

    /// <summary>Who asks.</summary>
    public static string Who(this HttpContext http) => ((ApiKey)http.Items[KeyItem]!).Name;

    private static async ValueTask<object?> AuthorizeAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var http = invocation.HttpContext;
        try
        {
            if (http.GetEndpoint()?.Metadata.GetMetadata<RoleRequired>() is { } required)
            {
                if (await http.RequestServices.GetRequiredService<KeyAuthentication>().FindAsync(http.Request, http.RequestAborted) is not { } key)
                {
                    if (!http.RequestServices.GetRequiredService<FailedLogIns>().TryCount(http)) return Results.Problem("From this address too many keys are tried that do not hold.", statusCode: StatusCodes.Status429TooManyRequests);
                    http.Response.Headers.WWWAuthenticate = "Bearer";
                    return Results.Problem("This needs a key: Authorization: Bearer apk_…", statusCode: StatusCodes.Status401Unauthorized);
                }
                if (key.Role < required.Role) return Results.Problem($"The key {key.Name} is one of a {key.Role}; this needs {required.Role}.", statusCode: StatusCodes.Status403Forbidden);
                http.Items[KeyItem] = key;
            }
            return await next(invocation);
        }
        catch (MissingException e)
        {
            return Results.Problem(e.Message, statusCode: StatusCodes.Status404NotFound);
        }
        catch (UserError e)
        {
            return Results.Problem(e.Hint is null ? e.Message : $"{e.Message} {e.Hint}", statusCode: StatusCodes.Status400BadRequest);
        }
    }
}
