using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>Says why something was not done.</summary>
internal static class MessagePage
{
    /// <summary>The content.</summary>
    public static string Content(DeviceProblem problem) => $"""
        <section class="verdict unhealthy">
          <h2>{Encode(problem.Title)}</h2>
          <p>{Encode(problem.Detail ?? "")}</p>
        </section>
        <p><a href="/">Overview</a> · <a href="/updates">Updates</a></p>
        """;
}
