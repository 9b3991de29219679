using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Findings;
using static Appliance.Supervisor.Service.BusValues;

namespace Appliance.Supervisor.Service;

/// <summary>The member of <c>io.appliance.Supervisor1</c> that is about findings.</summary>
internal sealed class FindingInterface(FindingList findings)
{
    /// <summary>The property.</summary>
    public BusProperty Property => new("Findings", "aa{sv}", () => findings.Current.Select(finding => Bag(
        ("Id", finding.Id), ("Subject", finding.Subject), ("Severity", DeviceView.Word(finding.Severity)), ("Title", finding.Title),
        ("Explanation", finding.Explanation), ("Action", finding.Action), ("Command", finding.Command), ("Since", Moment(finding.Since)))).ToList());
}
