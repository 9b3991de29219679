using Appliance.Supervisor.Device;
using Appliance.Supervisor.Findings;

namespace Appliance.Supervisor.Web;

/// <summary>A finding as <c>/api/v1/findings</c> shows it.</summary>
/// <param name="Id">Its kind.</param>
/// <param name="Subject">What it is about where there can be several of a kind, or empty.</param>
/// <param name="Severity"><c>error</c>, <c>warning</c> or <c>note</c>.</param>
/// <param name="Title">What it is.</param>
/// <param name="Explanation">What was seen.</param>
/// <param name="Action">What to do.</param>
/// <param name="Command">A verb of <c>appliancectl</c> that is safe to try, or empty.</param>
/// <param name="Since">When it began.</param>
internal sealed record DeviceFinding(string Id, string Subject, string Severity, string Title, string Explanation, string Action, string Command, DateTimeOffset Since)
{
    /// <summary>All findings of now, what matters most first.</summary>
    public static IReadOnlyList<DeviceFinding> AllOf(FindingList findings) => findings.Current.Select(Of).ToList();

    private static DeviceFinding Of(Finding finding) => new(finding.Id, finding.Subject, DeviceView.Word(finding.Severity), finding.Title, finding.Explanation, finding.Action, finding.Command, finding.Since);
}
