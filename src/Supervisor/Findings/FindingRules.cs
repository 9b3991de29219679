using System.Globalization;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Findings;

/// <summary>What counts as a finding. Thresholds are left again at a lower value than they are reached, so that none flickers.</summary>
internal static class FindingRules
{
    /// <summary>After this an installed version that waits for its restart is forgotten rather than waiting.</summary>
    private static readonly TimeSpan LongWait = TimeSpan.FromDays(7);

    /// <summary>After this a collector is away rather than restarting.</summary>
    private static readonly TimeSpan LongSilence = TimeSpan.FromMinutes(15);

    /// <summary>After this no time server answers, rather than none has yet.</summary>
    private static readonly TimeSpan LongUnset = TimeSpan.FromMinutes(15);

    /// <summary>A certificate that ends sooner needs somebody: there are devices that are seen once a month.</summary>
    private static readonly TimeSpan SoonEnds = TimeSpan.FromDays(30);

    /// <summary>All that is found, what matters most first.</summary>
    public static IReadOnlyList<Finding> Find(FindingInput input)
    {
        IEnumerable<Finding> all = [.. Checks(input), .. Versions(input), .. Updates(input), .. Workloads(input), .. Slots(input), .. Machine(input), .. Clock(input), .. Credentials(input), .. Reports(input), .. Fleet(input)];
        return all.OrderByDescending(finding => finding.Severity).ThenBy(finding => finding.Id, StringComparer.Ordinal).ThenBy(finding => finding.Subject, StringComparer.Ordinal).ToList();
    }

    private static IEnumerable<Finding> Checks(FindingInput input)
    {
        const string look = "appliancectl health --history shows what it said before.";
        foreach (var check in input.Health.Checks)
        {
            if (check.State == CheckState.Fails)
                yield return new("check-fails", check.Gates ? FindingSeverity.Error : FindingSeverity.Warning, $"The check {check.Name} fails", check.Message, look, check.Since) { Subject = check.Name, Command = "health --history" };
            else if (check.State == CheckState.Excused)
                yield return new("check-excused", FindingSeverity.Note, $"The check {check.Name} does not pass", $"{check.Message}. It is not held against the version that runs.", look, check.Since) { Subject = check.Name, Command = "health --history" };
        }
    }

    private static IEnumerable<Finding> Versions(FindingInput input) =>
        // What has been overtaken is history.
        from failed in input.Updates.Failed
        where UapiVersion.Compare(failed.Version, input.Version) > 0
        select new Finding("version-not-kept", FindingSeverity.Warning, $"Version {failed.Version} was tried and not kept", failed.Reason, $"Publish a newer version, or let it be tried again with appliancectl clear-failed {failed.Version}.", failed.At)
        {
            Subject = failed.Version,
            Command = $"clear-failed {failed.Version}",
        };

    private static IEnumerable<Finding> Updates(FindingInput input)
    {
        var updates = input.Updates;
        if (updates.LastCheck is { Verdict: "error" } look)
            yield return new("repository-unreachable", FindingSeverity.Warning, "The last look for a version failed", look.Message, "Check the network and updates.url; appliancectl check looks again.", look.At) { Command = "check" };
        if (updates.History is [.., { Outcome: "failed" or "refused" } last])
            yield return new("update-failed", FindingSeverity.Warning, last.Outcome == "refused" ? "An update was refused" : "An update could not be installed", last.Detail, "Mend what it names; the next look tries again.", last.At) { Command = "check" };
        if (updates is { Phase: EnginePhase.Installed, Pending: { } waiting })
            yield return new("restart-waiting", input.Now - waiting.InstalledAt > LongWait ? FindingSeverity.Warning : FindingSeverity.Note, $"Version {waiting.Version} waits for the restart", $"It is in slot {waiting.Slot}.", "It starts in the next window, or with appliancectl reboot.", waiting.InstalledAt) { Subject = waiting.Version, Command = "reboot" };
        if (updates is { Phase: EnginePhase.Probation, Pending: { } trial })
            yield return new("on-trial", FindingSeverity.Note, $"Version {trial.Version} is on trial", "It is kept when it is healthy, and left for the one before when it is not.", "Wait for the verdict.", trial.Boots is [.., var boot] ? boot.StartedAt : trial.InstalledAt) { Subject = trial.Version };
    }

    private static IEnumerable<Finding> Workloads(FindingInput input) =>
        from workload in input.Workloads
        let last = workload.State.History is [.., var newest] ? newest : null
        where last?.Outcome is ReleaseTransaction.Reverted or ReleaseTransaction.Failed
        select new Finding("release-not-kept", FindingSeverity.Warning, $"Release {last.Version} of {workload.Id} was not kept", last.Detail, workload.State.Current is { } current ? $"Version {current} is the one that is kept. Publish a newer release; appliancectl workloads status {workload.Id} shows what runs." : "Publish a newer release.", last.At)
        {
            Subject = $"{workload.Id} {last.Version}",
            Command = $"workloads status {workload.Id}",
        };

    private static IEnumerable<Finding> Slots(FindingInput input)
    {
        if (!input.RootVerified)
            yield return Seen(input, "root-not-verified", FindingSeverity.Error, "The root is not verified", "The kernel was started without a dm-verity root hash.", "Start the device from an entry that its image brought.");
        // While one is written, or waits, there is none to go back to, and that is as it should be.
        if (input.Updates.Phase is not (EnginePhase.Idle or EnginePhase.Probation)) yield break;
        foreach (var slot in input.Slots.Where(slot => !slot.Running && slot.State is SlotState.Bad or SlotState.Empty))
            yield return Seen(input, "no-way-back", slot.State == SlotState.Bad ? FindingSeverity.Warning : FindingSeverity.Note, "There is no version to go back to", $"Slot {slot.Name} is {(slot.State == SlotState.Bad ? $"given up{(slot.Version is { } version ? $" (version {version})" : "")}" : "empty")}.", "The next update fills it.");
    }

    private static IEnumerable<Finding> Machine(FindingInput input)
    {
        if (input.Data.Total > 0)
        {
            var used = 100.0 * (input.Data.Total - input.Data.Free) / input.Data.Total;
            var severity = Is("data-filling", FindingSeverity.Error, used, 95, 90) ? FindingSeverity.Error : Is("data-filling", FindingSeverity.Warning, used, 80, 75) ? FindingSeverity.Warning : (FindingSeverity?)null;
            if (severity is { } data)
                yield return Seen(input, "data-filling", data, "The data partition is filling up", string.Create(CultureInfo.InvariantCulture, $"{used:0} % of {ByteSize.Format(input.Data.Total)} are used; {ByteSize.Format(input.Data.Free)} are free."), "Find what grows (du -x /var | sort -n), or use a larger disk: an update needs room for its journal, and workloads for their data.");
        }
        if (input.Memory.Total > 0)
        {
            var used = 100.0 * (input.Memory.Total - input.Memory.Available) / input.Memory.Total;
            if (Is("memory-low", FindingSeverity.Warning, used, 90, 85))
                yield return Seen(input, "memory-low", FindingSeverity.Warning, "Memory is running out", $"{ByteSize.Format(input.Memory.Available)} of {ByteSize.Format(input.Memory.Total)} are left.", "Find what uses it (systemd-cgtop -m), or give the workloads limits.");
        }
        if (input.Temperature is { } hot && Is("too-hot", FindingSeverity.Warning, hot, 85, 80))
            yield return Seen(input, "too-hot", FindingSeverity.Warning, "The machine is hot", string.Create(CultureInfo.InvariantCulture, $"Its hottest sensor shows {hot:0} °C; most slow down soon, to last."), "Look for dust, a fan that stands still, or the sun.");

        bool Is(string id, FindingSeverity severity, double value, double from, double until) =>
            value > from || (value > until && input.Before.Any(finding => finding.Id == id && finding.Severity >= severity));
    }

    private static IEnumerable<Finding> Clock(FindingInput input)
    {
        if (input.Now < input.Built)
            yield return Seen(input, "clock-wrong", FindingSeverity.Warning, "The clock is wrong", string.Create(CultureInfo.InvariantCulture, $"It shows {input.Now.UtcDateTime:yyyy-MM-dd HH:mm}, and the image is of {input.Built.UtcDateTime:yyyy-MM-dd}."), "Let the device reach a time server (timedatectl), or give it a clock battery.");
        else if (!input.ClockSet && input.Uptime > LongUnset)
            yield return Seen(input, "clock-not-set", FindingSeverity.Warning, "The clock was not set from the network", "No time server has answered since the device started; certificates and maintenance windows go by a clock that nobody compared.", "Let the device reach a time server: timedatectl timesync-status says which ones it asks.");
    }

    private static IEnumerable<Finding> Credentials(FindingInput input)
    {
        // The device's certificate, which never lasts long, has a rule of its own.
        foreach (var credential in input.Credentials.Where(known => known.Name != CredentialNames.DeviceCertificate))
        {
            var renewal = credential.CanRotate ? $"appliancectl credentials rotate {credential.Name} makes a new one." : credential.CanSet ? $"Bring a new one: appliancectl credentials set {credential.Name} FILE" : credential.Renewal ?? "";
            if (credential.ExpiresAt is { } until && until - input.Now < SoonEnds)
                yield return new("credential-ends", until <= input.Now ? FindingSeverity.Error : FindingSeverity.Warning, $"{credential.Title}: {(until <= input.Now ? "has ended" : "ends soon")}", string.Create(CultureInfo.InvariantCulture, $"It is good until {until.UtcDateTime:yyyy-MM-dd HH:mm} UTC."), renewal, until <= input.Now ? until : until - SoonEnds) { Subject = credential.Title, Command = "credentials" };
            if (credential.Trouble is { } trouble)
                yield return Seen(input, "credential-not-rotated", FindingSeverity.Warning, $"{credential.Title}: could not be changed", trouble, $"The one before is used on. Mend what it names; {renewal}") with { Subject = credential.Name, Command = "credentials" };
        }
    }

    private static IEnumerable<Finding> Reports(FindingInput input)
    {
        if (input.Reports is not { } reports) yield break;
        if (reports.Trouble is { } trouble && input.Now - trouble.Since > LongSilence)
            yield return new("collector-unreachable", FindingSeverity.Warning, "Reports do not reach the collector", $"{reports.Collector}: {trouble.Reason}.", "Check the network and telemetry.otlp. Reports wait on the disk; when telemetry.spool is full, the oldest go.", trouble.Since);
        if (reports.HasDropped)
            yield return Seen(input, "reports-lost", FindingSeverity.Warning, "Reports were lost", "Since the supervisor started, some found no room while they waited, or the collector could not read them.", "Enlarge telemetry.spool, or look into the collector's log; appliance_reports_dropped_total at /metrics counts them.");
    }

    private static IEnumerable<Finding> Fleet(FindingInput input)
    {
        if (input.Fleet is not { } fleet) yield break;
        if (fleet is { State: FleetState.Refused, Trouble: { } refusal, TroubleSince: { } from })
            yield return new("fleet-refused", FindingSeverity.Error, "The fleet's server does not take this device", $"{fleet.Server}: {refusal}.", "Look for the device on the server; appliancectl fleet join makes it a member again.", from) { Command = "fleet" };
        if (fleet is { State: FleetState.Unreadable, Trouble: { } lost, TroubleSince: { } start })
            yield return new("fleet-unreadable", FindingSeverity.Error, "The device cannot show its fleet's server who it is", $"{fleet.Server}: {lost}.", "It is tried again; where that does not help, appliancectl fleet join makes the device a member again.", start) { Command = "fleet" };
        if (fleet is { State: FleetState.Unreachable, Trouble: { } trouble, TroubleSince: { } since } && input.Now - since > LongSilence)
            yield return new("fleet-unreachable", FindingSeverity.Warning, "The fleet's server cannot be reached", $"{fleet.Server}: {trouble}.", "Check the network and the server. What is owed to it waits.", since) { Command = "fleet" };
        if (fleet is { CertificateUntil: { } until, CertificateTrouble: { } why })
            yield return Seen(input, "device-certificate-ends", until <= input.Now ? FindingSeverity.Error : FindingSeverity.Warning, until <= input.Now ? "The device's certificate has ended" : "The device's certificate is not renewed", string.Create(CultureInfo.InvariantCulture, $"It is good until {until.UtcDateTime:yyyy-MM-dd HH:mm} UTC, and a new one is due: {why}."), "Look for the device and its certificates on the server; it tries again by itself, also after the end.") with { Command = "fleet" };
        if (fleet.Assignment is { Step: AssignmentStep.Failed } failed)
            yield return new("assignment-failed", FindingSeverity.Warning, $"What the fleet's server assigned was not done: {failed.Title}", string.Join(" ", failed.Words.Take(1)), "Mend what it names; on the server, retry.", failed.At) { Subject = failed.Title, Command = "fleet" };
        if (fleet.Unconfirmed is { } waiting)
            yield return new("assignment-unconfirmed", FindingSeverity.Note, $"{waiting.Name} {waiting.Version} waits for somebody's word", "The fleet's server wants it agreed to at the device.", "Agree with appliancectl fleet confirm, or say no with fleet deny.", waiting.Since) { Subject = $"{waiting.Name} {waiting.Version}", Command = "fleet" };
    }

    /// <summary>One that nobody dates: it began when it was first seen.</summary>
    private static Finding Seen(FindingInput input, string id, FindingSeverity severity, string title, string explanation, string action) =>
        new(id, severity, title, explanation, action, input.Before.FirstOrDefault(finding => finding.Id == id)?.Since ?? input.Now);
}
