using System.Text.RegularExpressions;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Findings;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Telemetry;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;

namespace Supervisor.Tests.Findings;

/// <summary>Each rule, by what makes it speak and what keeps it quiet.</summary>
public sealed class FindingRulesTests
{
    private const long GiB = 1L << 30;
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    private static readonly FindingInput Fine = new()
    {
        Now = Now,
        Built = Now.AddDays(-20),
        Version = "1.0",
        Health = new HealthReport(HealthState.Healthy, [], [Check("product", gates: true, CheckState.Passes), Check("slow", gates: true, CheckState.Waiting)]),
        Updates = new UpdateState(),
        Slots = [Slot("a", running: true, SlotState.Good), Slot("b", running: false, SlotState.Good)],
        Data = (100 * GiB, 50 * GiB),
        Memory = (4 * GiB, 2 * GiB),
        Temperature = 50,
    };

    private static CredentialStatus Ends(DateTimeOffset until) => new() { Name = "something", Title = "certificate of something", ExpiresAt = until, Renewal = "Bring another." };

    private static FleetStatus Member => new() { State = FleetState.Connected, Server = "https://fleet.example.net/", Device = "0123" };
    private static ReportDelivery Delivery => new("https://collector.example.net:4318", null, HasDropped: false);

    private static readonly Dictionary<string, FindingInput> Bad = new()
    {
        ["check-fails"] = Fine with { Health = new HealthReport(HealthState.Unhealthy, [], [Check("product", gates: true, CheckState.Fails)]) },
        ["check-excused"] = Fine with { Health = new HealthReport(HealthState.Healthy, [], [Check("network", gates: true, CheckState.Excused)]) },
        ["version-not-kept"] = Fine with { Updates = new UpdateState { Failed = [new FailedVersion { Version = "1.1", Reason = "the check product failed", At = Now.AddHours(-1) }] } },
        ["repository-unreachable"] = Fine with { Updates = new UpdateState { LastCheck = new LastCheck(Now.AddMinutes(-5), "error", null, "no route to host") } },
        ["update-failed"] = Fine with { Updates = new UpdateState { History = [new HistoryEntry(Now.AddMinutes(-5), "failed", "1.1", "1.0", "no space left on device")] } },
        ["restart-waiting"] = Fine with { Updates = Pending(EnginePhase.Installed, Now.AddHours(-1)) },
        ["on-trial"] = Fine with { Updates = Pending(EnginePhase.Probation, Now.AddHours(-1)) },
        ["release-not-kept"] = Fine with { Workloads = [new WorkloadStatus("shop", new WorkloadState { Current = "1", History = [new ReleaseEvent(Now.AddHours(-1), ReleaseTransaction.Reverted, "2", "1", "Deployment web: it crashes")] })] },
        ["root-not-verified"] = Fine with { RootVerified = false },
        ["no-way-back"] = Fine with { Slots = [Slot("a", running: true, SlotState.Good), Slot("b", running: false, SlotState.Bad)] },
        ["data-filling"] = Fine with { Data = (100 * GiB, 19 * GiB) },
        ["memory-low"] = Fine with { Memory = (100 * GiB, 9 * GiB) },
        ["too-hot"] = Fine with { Temperature = 86 },
        ["clock-wrong"] = Fine with { Now = Now.AddDays(-21) },
        ["clock-not-set"] = Fine with { ClockSet = false, Uptime = TimeSpan.FromMinutes(16) },
        ["credential-not-rotated"] = Fine with { Credentials = [new() { Name = "wireguard", Title = "key of WireGuard", Trouble = "proving: no handshake", CanRotate = true }] },
        ["credential-ends"] = Fine with { Credentials = [new() { Name = CredentialNames.DeviceCertificate, Title = "Certificate of the device", ExpiresAt = Now.AddDays(8) }, Ends(Now.AddDays(400)), Ends(Now.AddDays(29))] },
        ["collector-unreachable"] = Fine with { Reports = Delivery with { Trouble = new("it answers 401 Unauthorized", Now.AddMinutes(-16)) } },
        ["reports-lost"] = Fine with { Reports = Delivery with { HasDropped = true } },
        ["fleet-refused"] = Fine with { Fleet = Member with { State = FleetState.Refused, Trouble = "it answers 401 Unauthorized", TroubleSince = Now } },
        ["fleet-unreadable"] = Fine with { Fleet = Member with { State = FleetState.Unreadable, Trouble = "by what the server knows the device cannot be unsealed", TroubleSince = Now } },
        ["fleet-unreachable"] = Fine with { Fleet = Member with { State = FleetState.Unreachable, Trouble = "it does not answer", TroubleSince = Now.AddMinutes(-16) } },
        ["device-certificate-ends"] = Fine with { Fleet = Member with { CertificateUntil = Now.AddDays(5), CertificateTrouble = "it answers 401 Unauthorized" } },
        ["assignment-failed"] = Fine with { Fleet = Member with { Assignment = new Assignment { Id = "8", Kind = AssignmentKind.Image, Name = "edge", Version = "1.1", At = Now, Step = AssignmentStep.Failed, Words = ["the signature is nobody's"] } } },
        ["assignment-unconfirmed"] = Fine with { Fleet = Member with { Unconfirmed = new UnconfirmedAssignment("8", "edge", "1.1", Now) } },
    };

    public static TheoryData<string> Ids => [.. Bad.Keys];

    [Fact]
    public void ADeviceThatIsFine_HasNone() => Assert.Empty(FindingRules.Find(Fine));

    [Theory]
    [MemberData(nameof(Ids))]
    public void WhatIsWrong_IsSaid_WithWhatToDo(string id)
    {
        var finding = Assert.Single(FindingRules.Find(Bad[id]));

        Assert.Equal(id, finding.Id);
        Assert.All([finding.Title, finding.Explanation, finding.Action], text => Assert.NotEqual("", text));
    }

    [Fact]
    public void ACertificateThatHasEnded_IsAnError() => Assert.Equal(FindingSeverity.Error, Assert.Single(FindingRules.Find(Fine with { Credentials = [Ends(Now.AddSeconds(-1))] })).Severity);

    [Fact]
    public void AClockThatIsNotSetYet_GetsItsTime() => Assert.Empty(FindingRules.Find(Bad["clock-not-set"] with { Uptime = TimeSpan.FromMinutes(14) }));

    [Fact]
    public void ACheckThatOnlyWarns_IsAWarning_AndOneThatGatesAnError()
    {
        var found = FindingRules.Find(Fine with { Health = new HealthReport(HealthState.Unhealthy, [], [Check("soft", gates: false, CheckState.Fails), Check("hard", gates: true, CheckState.Fails)]) });

        Assert.Equal([("hard", FindingSeverity.Error), ("soft", FindingSeverity.Warning)], found.Select(finding => (finding.Subject, finding.Severity)));
    }

    [Fact]
    public void AFailedVersion_IsForgotten_OnceANewerOneRuns() => Assert.Empty(FindingRules.Find(Bad["version-not-kept"] with { Version = "1.2" }));

    [Fact]
    public void AnUpdateThatFailed_IsForgotten_OnceAnotherCame()
    {
        var updates = Bad["update-failed"].Updates;
        Assert.Empty(FindingRules.Find(Fine with { Updates = updates.With(new HistoryEntry(Now, "committed", "1.1", "1.0", "")) }));
    }

    [Theory]
    [InlineData(6, FindingSeverity.Note)]
    [InlineData(8, FindingSeverity.Warning)]
    public void ARestartThatNobodyMakes_BecomesAWarning(int days, object severity) =>
        Assert.Equal((FindingSeverity)severity, Assert.Single(FindingRules.Find(Fine with { Updates = Pending(EnginePhase.Installed, Now.AddDays(-days)) })).Severity);

    [Fact]
    public void WhileAVersionIsWritten_NoWayBackIsNoFinding() =>
        Assert.Empty(FindingRules.Find(Bad["no-way-back"] with { Updates = new UpdateState { Phase = EnginePhase.Downloading } }));

    [Fact]
    public void ANewDevice_HasAnEmptySlot_AndThatIsOnlyANote() =>
        Assert.Equal(FindingSeverity.Note, Assert.Single(FindingRules.Find(Fine with { Slots = [Slot("a", running: true, SlotState.Good), Slot("b", running: false, SlotState.Empty)] })).Severity);

    /// <summary>Around a threshold nothing comes and goes with every write.</summary>
    [Theory]
    [InlineData(80, null, null)]
    [InlineData(81, null, FindingSeverity.Warning)]
    [InlineData(77, null, null)]
    [InlineData(77, FindingSeverity.Warning, FindingSeverity.Warning)]
    [InlineData(75, FindingSeverity.Warning, null)]
    [InlineData(96, FindingSeverity.Warning, FindingSeverity.Error)]
    [InlineData(92, FindingSeverity.Warning, FindingSeverity.Warning)]
    [InlineData(92, FindingSeverity.Error, FindingSeverity.Error)]
    [InlineData(77, FindingSeverity.Error, FindingSeverity.Warning)]
    public void ADiskThatFills_IsLeftAtALowerMarkThanItIsReached(int used, object? before, object? expected)
    {
        var since = Now.AddHours(-3);
        var input = Fine with { Data = (100 * GiB, (100 - used) * GiB), Before = before is FindingSeverity severity ? [new Finding("data-filling", severity, "", "", "", since)] : [] };

        var found = FindingRules.Find(input);

        Assert.Equal(expected is FindingSeverity one ? [one] : [], found.Select(finding => finding.Severity));
        Assert.All(found, finding => Assert.Equal(before is null ? Now : since, finding.Since));
    }

    [Fact]
    public void AServerThatRestarts_IsNoFinding() =>
        Assert.Empty(FindingRules.Find(Fine with { Fleet = Member with { State = FleetState.Unreachable, Trouble = "it does not answer", TroubleSince = Now.AddMinutes(-14) } }));

    [Fact]
    public void ACertificateOfTheFleetThatHasEnded_IsAnError() =>
        Assert.Equal(FindingSeverity.Error, Assert.Single(FindingRules.Find(Fine with { Fleet = Member with { CertificateUntil = Now, CertificateTrouble = "it does not answer" } })).Severity);

    [Fact]
    public void ACollectorThatRestarts_IsNoFinding() =>
        Assert.Empty(FindingRules.Find(Fine with { Reports = Delivery with { Trouble = new("connection refused", Now.AddMinutes(-14)) } }));

    [Fact]
    public void TheDocument_NamesEachOfThem()
    {
        var documented = Regex.Matches(File.ReadAllText(Path.Combine(Repository.Folder, "docs", "findings.md")), "^\\| `([a-z-]+)` \\|", RegexOptions.Multiline).Select(match => match.Groups[1].Value);

        Assert.Equal(Bad.Keys.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
        var source = File.ReadAllText(Path.Combine(Repository.Folder, "src", "Supervisor", "Findings", "FindingRules.cs"));
        var coded = Regex.Matches(source, "(?:new\\(|Finding\\(|Seen\\(input, )\"([a-z-]+)\"").Select(match => match.Groups[1].Value).Distinct();
        Assert.Equal(Bad.Keys.Order(StringComparer.Ordinal), coded.Order(StringComparer.Ordinal));
    }

    private static CheckStatus Check(string name, bool gates, CheckState state) => new() { Name = name, Kind = "unit", Gate = gates, Gates = gates, State = state, Message = $"{name} was looked at", Since = Now.AddMinutes(-9), History = [] };

    private static SlotStatus Slot(string name, bool running, SlotState state) => new() { Name = name, Running = running, State = state };

    private static UpdateState Pending(EnginePhase phase, DateTimeOffset at) => new() { Phase = phase, Pending = new PendingUpdate { Version = "1.1", From = "1.0", Slot = "b", InstalledBy = "boot", InstalledAt = at } };
}
