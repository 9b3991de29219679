using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Appliance.Supervisor.Updates;

namespace Appliance.Supervisor.Web;

/// <summary>What requests are answered with.</summary>
internal static class Answers
{
    /// <summary>A page, or a part of one.</summary>
    public static IResult Page(string html, int status = StatusCodes.Status200OK) => Results.Content(html, "text/html; charset=utf-8", statusCode: status);

    /// <summary>JSON for programs.</summary>
    public static IResult Json<T>(T value, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK) => Results.Content(JsonSerializer.Serialize(value, type), "application/json", statusCode: status);

    /// <summary>A job, which goes on unless the status says how it ended.</summary>
    public static IResult Job(UpdateJob job, int status = StatusCodes.Status202Accepted) => Json(job.View, StatusJson.Default.JobView, status);

    /// <summary>An error for programs.</summary>
    public static IResult Problem(DeviceProblem problem) => Results.Content(JsonSerializer.Serialize(problem, StatusJson.Default.DeviceProblem), "application/problem+json", statusCode: problem.Status);

    /// <summary>Sends a browser on to a page.</summary>
    public static IResult SeeOther(string page) => new SeeOtherResult(page);

    /// <summary>303: unlike <see cref="Results.Redirect"/> it says that the page is to be fetched with GET.</summary>
    private sealed class SeeOtherResult(string page) : IResult
    {
        public Task ExecuteAsync(HttpContext context)
        {
            context.Response.StatusCode = StatusCodes.Status303SeeOther;
            context.Response.Headers.Location = page;
            return Task.CompletedTask;
        }
    }
}
