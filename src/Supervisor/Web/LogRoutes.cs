using System.Globalization;
using Appliance.Core;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Journal;
using Serilog;

namespace Appliance.Supervisor.Web;

/// <summary>The journal over HTTP, for the owner.</summary>
internal static class LogRoutes
{
    private const string Page = "/logs", Api = "/api/v1/logs";

    /// <summary>Adds the routes.</summary>
    public static void Map(ActionRoutes actions, PageFrame frame, JournalReader journal, DeviceFacts facts)
    {
        actions.MapPage(Page, async (context, caller) =>
        {
            var query = Query(context.Request.Query);
            return frame.Render(caller, Page, "logs", LogPage.Content(query, await journal.BootsAsync(context.RequestAborted), await journal.ReadAsync(query, context.RequestAborted), context.Request.QueryString.ToString()));
        });
        actions.MapPage($"{Page}/live", async (context, _) => LogPage.Lines(await journal.ReadAsync(Query(context.Request.Query), context.RequestAborted)));
        actions.MapRead(Api, async (context, _) => Answers.Json(await journal.ReadAsync(Query(context.Request.Query), context.RequestAborted), StatusJson.Default.IReadOnlyListJournalLine));
        actions.MapRead($"{Api}/boots", async (context, _) => Answers.Json(await journal.BootsAsync(context.RequestAborted), StatusJson.Default.IReadOnlyListJournalBoot));
        actions.MapRead($"{Api}/text", (context, caller) =>
        {
            var query = Query(context.Request.Query);
            Log.Information("{Who} downloads the journal", caller.Name);
            context.Response.Headers.ContentDisposition = $"attachment; filename=\"{facts.Hostname}-{facts.Image.Version}.log\"";
            return Task.FromResult(Results.Stream(stream => journal.ExportAsync(query, stream, context.RequestAborted), "text/plain; charset=utf-8"));
        });
    }

    private static JournalQuery Query(IQueryCollection query) => new()
    {
        Unit = Text(query, "unit"),
        Priority = Number(query, "priority"),
        Boot = Text(query, "boot") switch { null => "0", "all" => null, var boot => boot },
        Text = Text(query, "text"),
        Lines = Number(query, "lines") ?? JournalQuery.UsualLines,
    };

    private static string? Text(IQueryCollection query, string name) => query[name].ToString().Trim() is { Length: > 0 } text ? text : null;

    private static int? Number(IQueryCollection query, string name) => Text(query, name) is not { } text ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw new UserError($"{name} is \"{text}\", which is no number.");
}
