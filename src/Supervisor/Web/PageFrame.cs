using Appliance.Supervisor.Device;
using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>What is around every page: the device's name, and the ways to the other pages.</summary>
internal sealed class PageFrame(DeviceFacts facts)
{
    private static readonly string Frame = StaticFiles.Text("index.html");
    private static readonly (string Path, string Name)[] Pages = [("/", "Overview"), (HealthPage.Path, "Health"), ("/updates", "Updates"), (WorkloadRoutes.Page, "Workloads"), ("/logs", "Logs"), ("/network", "Network"), (FleetRoutes.Page, "Fleet"), (CredentialRoutes.Page, "Credentials")];

    /// <summary>A whole page.</summary>
    /// <param name="caller">For whom.</param>
    /// <param name="path">Which of the pages it is, or empty.</param>
    /// <param name="title">For the browser's tab.</param>
    /// <param name="main">The content.</param>
    public string Render(Caller caller, string path, string title, string main) => Frame
        .Replace("{{title}}", Encode($"{facts.Hostname}: {title}"), StringComparison.Ordinal)
        .Replace("{{hostname}}", Encode(facts.Hostname), StringComparison.Ordinal)
        .Replace("{{nav}}", Ways(caller, path), StringComparison.Ordinal)
        .Replace("{{main}}", main, StringComparison.Ordinal);

    private static string Ways(Caller caller, string path)
    {
        var access = caller.Session is { } session ? Way("/password", "Password") + Form(AccessRoutes.LogOut, session, "<button>Log out</button>") : Way("/login", "Log in");
        return string.Concat(Pages.Select(page => Way(page.Path, page.Name))) + access;

        string Way(string to, string name) => $"<a href=\"{to}\"{(to == path ? " aria-current=\"page\"" : "")}>{name}</a>";
    }
}
