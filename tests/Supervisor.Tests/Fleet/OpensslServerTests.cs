using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core.Fleet;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Secrets;
using Supervisor.Tests.Updates;

namespace Supervisor.Tests.Fleet;

/// <summary>The device's certificates from an EST server that is none of ours, and from ones that go wrong: what held before holds on, and the reason is said.</summary>
public sealed class OpensslServerTests : IAsyncLifetime
{
    private const string Id = "edge-1";

    private readonly DeviceTree _tree = new();
    private readonly SteppedTime _time = new();
    private OpensslServer _server = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private FleetMembershipFile Membership => new(Path.Combine(_tree.Root, "fleet.json"), new SystemdCreds(Path.Combine(_tree.Root, "credential.secret")));

    public async ValueTask InitializeAsync()
    {
        _server = await OpensslServer.StartAsync();
        DateImage(_time.Now.AddDays(-60));
        SetFromTheNetwork(true);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _tree.Dispose();
    }

    [Theory]
    [InlineData("base64", true, "-certfile cert.pem")]
    [InlineData("base64 -w 0", false, "-certfile cert.pem")]
    [InlineData("openssl base64 | sed 's/$/\\r/'", true, "-certfile cert.pem")]
    [InlineData("base64 -w 20 | sed '$a\\\\'", false, "-certfile ca.pem -certfile cert.pem")]
    [InlineData("base64", true, "-certfile cert.pem -certfile ca.pem")]
    public async Task ItEnrolsAndRenews_WhateverFormTheAnswerHas(string text, bool saysEncoding, string answer)
    {
        (_server.Text, _server.SaysEncoding, _server.Answer) = (text, saysEncoding, answer);
        var first = await AdvanceAsync(await BeginAsync());
        Assert.Null(first.Token);
        await SpeaksAsync(first);

        _time.Now = _time.Now.AddDays(25);
        var second = await AdvanceAsync(first);
        Assert.NotEqual(first.Certificate!.Key, second.Certificate!.Key);
        Assert.Equal((first.Certificate, null), (second.Previous, second.Certificate.Request));
        using var leaf = second.Certificate.Load();
        Assert.Equal((Id, "Somebody"), (leaf.GetNameInfo(X509NameType.SimpleName, forIssuer: false), leaf.GetNameInfo(X509NameType.SimpleName, forIssuer: true)));
        await SpeaksAsync(second);
        Assert.DoesNotContain("/.well-known/est/csrattrs", _server.Asked); // so that 204 or 404 there is all the same
    }

    [Fact]
    public async Task ToldToWait_ItWaits_AndComesAgainWithTheSame()
    {
        _server.Waits.Enqueue(new RetryConditionHeaderValue(TimeSpan.FromHours(2)));
        _server.Waits.Enqueue(new RetryConditionHeaderValue(DateTimeOffset.UtcNow.AddHours(1))); // by the server's clock
        _time.Now = _time.Now.AddDays(-50); // which is not the device's
        var rotation = Rotation();
        var begin = await BeginAsync();

        await Assert.ThrowsAsync<DdiException>(() => rotation.AdvanceAsync(begin, Token));
        Assert.Contains("agree", rotation.Trouble, StringComparison.Ordinal);
        var waiting = (await Membership.ReadAsync(Token))!;
        Assert.Equal((OpensslServer.DeviceToken, false), (waiting.Token, waiting.Next!.IsIssued));
        await SpeaksAsync(waiting);

        _time.Pass(TimeSpan.FromMinutes(119));
        Assert.Equal(waiting, await rotation.AdvanceAsync(waiting, Token));
        _time.Pass(TimeSpan.FromMinutes(2));
        await Assert.ThrowsAsync<DdiException>(() => rotation.AdvanceAsync(waiting, Token));
        _time.Pass(TimeSpan.FromMinutes(58));
        Assert.Equal(waiting, await rotation.AdvanceAsync(waiting, Token));
        _time.Pass(TimeSpan.FromMinutes(3));
        SetFromTheNetwork(false); // a clock that is behind, and may be: see below
        await SpeaksAsync(await rotation.AdvanceAsync(waiting, Token));

        Assert.Null(rotation.Trouble);
        Assert.Equal(3, _server.Requests.Count);
        Assert.Single(_server.Requests.Distinct()); // RFC 7030, 4.2.3: "the same request"
    }

    [Theory]
    [InlineData("openssl x509 -req -inform DER -in request.der -CA ca.pem -CAkey ca.key -days -1 -out cert.pem", "base64", "it holds from")]
    [InlineData("openssl x509 -req -inform DER -in request.der -CA ca.pem -CAkey ca.key -subj /CN=edge-2 -out cert.pem", "base64", "it is for edge-2")]
    [InlineData("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -subj /CN=edge-1 | openssl x509 -req -CA ca.pem -CAkey ca.key -out cert.pem", "base64", "it is for another key")]
    [InlineData("openssl x509 -req -inform DER -in request.der -CA other-ca.pem -CAkey other-ca.key -out cert.pem", "base64", "401")] // its own certificate, which it does not take
    [InlineData(OpensslServer.Issues, "cat", "what is no certificate")]
    [InlineData(OpensslServer.Issues, "head -c 200 | base64", "what is no certificate")]
    [InlineData(OpensslServer.Issues, "head -c 0", "what is no certificate")]
    public async Task ACertificateThatIsNone_IsNotTaken_AndTheReasonIsSaid(string issue, string text, string reason)
    {
        var first = await AdvanceAsync(await BeginAsync());
        _time.Now = _time.Now.AddDays(25);
        (_server.Issue, _server.Text) = (issue, text);
        var rotation = Rotation();

        await Assert.ThrowsAsync<DdiException>(() => rotation.AdvanceAsync(first, Token));
        Assert.Contains(reason, rotation.Trouble, StringComparison.Ordinal);
        var kept = (await Membership.ReadAsync(Token))!;
        Assert.Equal((first.Certificate, null), (kept.Certificate, kept.Previous));
        await SpeaksAsync(kept);

        (_server.Issue, _server.Text) = (OpensslServer.Issues, "base64");
        _time.Pass(TimeSpan.FromMinutes(10));
        await SpeaksAsync(await rotation.AdvanceAsync(kept, Token));
        Assert.Null(rotation.Trouble);
    }

    [Fact]
    public async Task AServerOfAnotherAuthority_HearsNothing()
    {
        var first = await AdvanceAsync(await BeginAsync());
        _time.Now = _time.Now.AddDays(25);
        var (asked, rotation) = (_server.Asked.Count, Rotation());
        var elsewhere = first with { Trust = _server.OtherTrust };

        await Assert.ThrowsAsync<DdiException>(() => rotation.AdvanceAsync(elsewhere, Token));
        Assert.Contains("certificate", rotation.Trouble, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(first.Certificate, (await Membership.ReadAsync(Token))!.Certificate);
        Assert.Equal(asked, _server.Asked.Count);
    }

    /// <summary>1970, where no time server is reached: what is known of the time is the image's date.</summary>
    [Fact]
    public async Task AClockThatIsBehindTheImage_DoesNotTellThatACertificateHasNotBegun()
    {
        (_time.Now, var now) = (DateTimeOffset.UnixEpoch, _time.Now);
        SetFromTheNetwork(false);
        var first = await AdvanceAsync(await BeginAsync());
        await SpeaksAsync(first);
        var requests = _server.Requests.Count;
        Assert.Equal(first, await AdvanceAsync(first)); // nor that it is time for another
        Assert.Equal(requests, _server.Requests.Count);

        DateImage(now.AddDays(25)); // an update: it is at least as late as that
        await SpeaksAsync(await AdvanceAsync(first));
    }

    [Theory]
    [InlineData(-50)]
    [InlineData(3650)]
    public async Task AClockThatWasSetWrong_TakesNoCertificate_AndSaysSo(int days)
    {
        var first = await AdvanceAsync(await BeginAsync());
        _time.Now = _time.Now.AddDays(days);
        var rotation = Rotation();
        rotation.NoteRefusal(first.Certificate); // so that another is due

        await Assert.ThrowsAsync<DdiException>(() => rotation.AdvanceAsync(first, Token));
        Assert.Contains("the device's clock says", rotation.Trouble, StringComparison.Ordinal);
        Assert.Equal(first.Certificate, (await Membership.ReadAsync(Token))!.Certificate);
        await SpeaksAsync((await Membership.ReadAsync(Token))!);
    }

    [Fact]
    public async Task TheAgent_SaysTheReason_AndGoesOnByItsToken()
    {
        await using var device = new FleetDevice(_server.Address);
        _server.Issue = "openssl x509 -req -inform DER -in request.der -CA ca.pem -CAkey ca.key -subj /CN=edge-2 -out cert.pem";
        await device.StartAsync();
        await device.Agent.JoinAsync(new JoinRequest { Server = _server.Address.ToString(), Trust = _server.Trust, Token = OpensslServer.DeviceToken });

        await Eventually.IsTrueAsync(() => device.Agent.Status is { State: FleetState.Connected, CertificateTrouble: not null }, "the trouble");
        Assert.Contains("it is for edge-2", device.Agent.Status.CertificateTrouble, StringComparison.Ordinal);

        // Who joins again inherits neither the trouble nor the pause after it.
        _server.Issue = OpensslServer.Issues;
        await device.Agent.JoinAsync(new JoinRequest { Server = _server.Address.ToString(), Trust = _server.Trust, Token = OpensslServer.DeviceToken });
        await Eventually.IsTrueAsync(() => device.Agent.Status is { State: FleetState.Connected, CertificateUntil: not null, CertificateTrouble: null }, "the certificate");
    }

    /// <summary>A proxy that refuses once, after the server has ended the token: what was issued is all that the device has.</summary>
    [Fact]
    public async Task AnIssuedCertificate_ThatIsRefusedOnce_IsKept_WhereTheTokenHasEnded()
    {
        _server.EndsToken = true;
        var cut = await CutBeforeTheSwitchAsync();
        Assert.True(_server.IsTokenOver);

        foreach (var _ in Enumerable.Range(0, 2)) _server.Refusals.Enqueue((401, ""));
        _server.Issue = "exit 1"; // nor is there another one
        Assert.Equal(DdiFault.Refused, (await Assert.ThrowsAsync<DdiException>(() => AdvanceAsync(cut))).Fault);
        Assert.Equal(cut, await Membership.ReadAsync(Token));
        var back = await AdvanceAsync((await Membership.ReadAsync(Token))!);
        Assert.Equal((cut.Next!.Key, null), (back.Certificate!.Key, back.Token));
        await SpeaksAsync(back);
    }

    /// <summary>Where the server issues another one for it, that one takes its place in turn.</summary>
    [Fact]
    public async Task AnIssuedCertificate_ThatIsRefused_GetsAnother_WhereTheTokenHasEnded()
    {
        _server.EndsToken = true;
        var cut = await CutBeforeTheSwitchAsync();
        _server.Refusals.Enqueue((401, "")); // by it
        _server.Refusals.Enqueue((401, "")); // by the token

        await Assert.ThrowsAsync<DdiException>(() => AdvanceAsync(cut));
        var replaced = (await Membership.ReadAsync(Token))!;
        Assert.Equal((cut.Next!.Key, true), (replaced.Certificate!.Key, replaced.Next!.IsIssued));
        using var first = cut.Next.Read();
        _server.Takes = shown => shown.SerialNumber != first.SerialNumber;
        await SpeaksAsync(await AdvanceAsync(replaced));
    }

    [Fact]
    public async Task AnIssuedCertificate_ThatIsNotTaken_IsLetGoOf_WhereTheTokenHolds()
    {
        var cut = await CutBeforeTheSwitchAsync();
        _server.Refusals.Enqueue((401, ""));

        await Assert.ThrowsAsync<DdiException>(() => AdvanceAsync(cut));
        var kept = (await Membership.ReadAsync(Token))!;
        Assert.Equal((OpensslServer.DeviceToken, null), (kept.Token, kept.Next));
        await SpeaksAsync(await AdvanceAsync(kept));
    }

    [Fact]
    public async Task ACertificateThatIsRefused_AndTheOneBefore_ChangePlaces_AndNoneIsLost()
    {
        var (first, second) = await TwoAsync();
        using var older = first.Certificate!.Read();
        using var newer = second.Certificate!.Read();

        _server.Takes = shown => shown.SerialNumber == older.SerialNumber;
        var back = await Rotation().GoBackAsync(second, Token);
        Assert.Equal((first.Certificate, second.Certificate, true), (back.Certificate, back.Previous, back.IsPreviousNewer));
        Assert.Equal(back, await Membership.ReadAsync(Token));
        await SpeaksAsync(back);

        // The newer one is not let go of, and takes its place again.
        _time.Now = back.PreviousUntil!.Value;
        _server.Issue = "exit 1";
        await Assert.ThrowsAsync<DdiException>(() => AdvanceAsync(back)); // the older one is due
        var kept = (await Membership.ReadAsync(Token))!;
        Assert.Equal((first.Certificate, second.Certificate), (kept.Certificate, kept.Previous));
        _server.Takes = shown => shown.SerialNumber == newer.SerialNumber;
        var forth = await Rotation().GoBackAsync(kept, Token);
        Assert.Equal((second.Certificate, first.Certificate, false), (forth.Certificate, forth.Previous, forth.IsPreviousNewer));
        await SpeaksAsync(forth);
    }

    [Fact]
    public async Task WhereNeitherIsTaken_NothingIsWritten()
    {
        var (_, second) = await TwoAsync();
        var before = await File.ReadAllBytesAsync(Path.Combine(_tree.Root, "fleet.json"), Token);
        _server.Takes = _ => false;

        Assert.Equal(DdiFault.Refused, (await Assert.ThrowsAsync<DdiException>(() => Rotation().GoBackAsync(second, Token))).Fault);
        Assert.Equal(before, await File.ReadAllBytesAsync(Path.Combine(_tree.Root, "fleet.json"), Token));
    }

    [Fact]
    public async Task WhatHasEndedByASetClock_IsNotGoneBackTo()
    {
        var (_, second) = await TwoAsync();
        _time.Now = _time.Now.AddDays(7);
        var asked = _server.Asked.Count;

        Assert.Equal(second, await Rotation().GoBackAsync(second, Token));
        Assert.Equal(asked, _server.Asked.Count);
    }

    [Fact]
    public async Task BackToTheFactorysCertificate_ItIsStillTheFactorys()
    {
        var first = await AdvanceAsync(await BeginAsync());
        var factorys = await SwitchedFromFactorysAsync(first);
        Assert.True(factorys.IsPreviousFactorys);
        using var newer = factorys.Certificate!.Read();
        _server.Takes = shown => shown.SerialNumber != newer.SerialNumber;

        var back = await Rotation().GoBackAsync(factorys, Token);
        Assert.Equal((first.Certificate, true, false), (back.Certificate, back.IsFactorys, back.IsPreviousFactorys));
    }

    [Fact]
    public async Task TheAgent_IsRefusedOnce_AndHasBothCertificatesStill()
    {
        await using var device = new FleetDevice(_server.Address);
        await device.StartAsync();
        await device.Agent.JoinAsync(new JoinRequest { Server = _server.Address.ToString(), Trust = _server.Trust, Token = OpensslServer.DeviceToken });
        await Eventually.IsTrueAsync(() => device.Agent.Status is { State: FleetState.Connected, CertificateUntil: not null }, "the certificate");
        await device.Desk.Rotate("device-certificate", "a test").Work;
        var both = (await device.Membership.ReadAsync(Token))!;
        Assert.NotNull(both.Previous);

        _server.Refusals.Enqueue((401, ""));
        await device.RestartAsync();
        await Eventually.IsTrueAsync(() => _server.Refusals.IsEmpty && device.Agent.Status.State == FleetState.Connected, "the connection");
        var kept = (await device.Membership.ReadAsync(Token))!;
        Assert.Equal((both.Previous, both.Certificate), (kept.Certificate, kept.Previous));
    }

    [Fact]
    public async Task TheAgent_WhoseRotationIsStopped_WantsNoneAnyMore_AndMakesOneWhenToldAgain()
    {
        await using var device = new FleetDevice(_server.Address);
        await device.StartAsync();
        await device.Agent.JoinAsync(new JoinRequest { Server = _server.Address.ToString(), Trust = _server.Trust, Token = OpensslServer.DeviceToken });
        await Eventually.IsTrueAsync(() => device.Agent.Status is { State: FleetState.Connected, CertificateUntil: not null }, "the certificate");
        var before = (await device.Membership.ReadAsync(Token))!;
        _server.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var asked = _server.Asked.Count;
        var job = device.Desk.Rotate("device-certificate", "a test");
        await Eventually.IsTrueAsync(() => _server.Asked.Count > asked, "the request");
        job.Cancel();
        await job.Work;

        Assert.Equal(before, await device.Membership.ReadAsync(Token));
        _server.Hold.SetResult();
        _server.Hold = null;
        await device.Desk.Rotate("device-certificate", "a test").Work;
        Assert.NotEqual(before.Certificate, (await device.Membership.ReadAsync(Token))!.Certificate);
    }

    private void DateImage(DateTimeOffset built) => File.SetLastWriteTimeUtc(Path.Combine(_tree.Root, "usr/lib/os-release"), built.UtcDateTime);

    private void SetFromTheNetwork(bool yes)
    {
        if (yes) _tree.Write("run/systemd/timesync/synchronized", "");
        else File.Delete(Path.Combine(_tree.Root, "run/systemd/timesync/synchronized"));
    }

    private async Task<FleetMembership> BeginAsync()
    {
        var membership = new FleetMembership { Server = _server.Address.ToString(), Trust = _server.Trust, Token = OpensslServer.DeviceToken };
        await Membership.WriteAsync(membership, Token);
        return membership;
    }

    /// <summary>The power goes after the proof by the first certificate, and before the membership with it is written.</summary>
    private async Task<FleetMembership> CutBeforeTheSwitchAsync()
    {
        var writes = 0;
        var begin = await BeginAsync();
        var rotation = new CertificateRotation(new FleetMembershipFile(Path.Combine(_tree.Root, "fleet.json"), new SystemdCreds(Path.Combine(_tree.Root, "credential.secret"))) { OnStep = step => { if (step.StartsWith("before", StringComparison.Ordinal) && ++writes == 3) throw new PowerCutException(); } }, Id, Open, new DeviceClock(_tree.Root, _time));
        await Assert.ThrowsAsync<PowerCutException>(() => rotation.AdvanceAsync(begin, Token));
        var cut = (await Membership.ReadAsync(Token))!;
        Assert.Equal((OpensslServer.DeviceToken, true), (cut.Token, cut.Next!.IsIssued));
        return cut;
    }

    /// <summary>A device that has just got its second certificate.</summary>
    private async Task<(FleetMembership First, FleetMembership Second)> TwoAsync()
    {
        var first = await AdvanceAsync(await BeginAsync());
        _time.Now = _time.Now.AddDays(25);
        var second = await AdvanceAsync(first);
        Assert.Equal(first.Certificate, second.Previous);
        return (first, second);
    }

    /// <summary>The device as it is after the server's first certificate has taken the place of the factory's.</summary>
    private async Task<FleetMembership> SwitchedFromFactorysAsync(FleetMembership held)
    {
        _time.Now = _time.Now.AddDays(25);
        var begun = held with { Next = (await AdvanceAsync(held)).Certificate, IsFactorys = true };
        await Membership.WriteAsync(begun, Token);
        return await AdvanceAsync(begun);
    }

    private CertificateRotation Rotation() => new(Membership, Id, Open, new DeviceClock(_tree.Root, _time));

    private Task<FleetMembership> AdvanceAsync(FleetMembership membership) => Rotation().AdvanceAsync(membership, Token);

    private static FleetServer? Open(FleetMembership membership) => FleetServer.Of(new FleetSettings(), "/nowhere", membership);

    private async Task SpeaksAsync(FleetMembership membership)
    {
        using var client = new DdiClient(Open(membership)!, Id, _time);
        await client.AskAsync(Token);
    }

    /// <summary>A clock that is set, and time that passes, by hand.</summary>
    private sealed class SteppedTime : TimeProvider
    {
        private TimeSpan _passed;

        public DateTimeOffset Now { get; set; } = DateTimeOffset.UtcNow.AddMinutes(1); // openssl's certificates begin now

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Pass(TimeSpan time) => (_passed, Now) = (_passed + time, Now + time);

        public override DateTimeOffset GetUtcNow() => Now;

        public override long GetTimestamp() => _passed.Ticks;
    }
}
