using Appliance.Core;
using Appliance.Core.Fleet;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Secrets;
using Core.Tests.Tuf;
using Supervisor.Tests.Updates;
using UpdateServer.Tests;

namespace Supervisor.Tests.Fleet;

/// <summary>The device's certificate, from the first to the next: against the whole server over TLS, whose authority issues it by EST.</summary>
public sealed class CertificateRotationTests : IAsyncLifetime
{
    private const string Id = "edge-1";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rotation");
    private readonly SettableTime _time = new(DateTimeOffset.UtcNow);
    private ServerScene _server = null!;
    private string _trust = "", _token = "";
    private int _cutAt, _steps;

    private ISecretSeal _seal = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string MembershipPath => Path.Combine(_folder.FullName, "fleet.json");

    private FleetMembershipFile Membership => new(MembershipPath, _seal) { OnStep = _ => { if (++_steps == _cutAt) throw new PowerCutException(); } };

    public async ValueTask InitializeAsync()
    {
        _seal = new SystemdCreds(Path.Combine(_folder.FullName, "credential.secret"));
        _server = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true, time: _time);
        _trust = _server.Trust();
        _token = (string)(await _server.PostAsync("/api/v1/devices", new { id = Id }))["token"]!;
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task TheFirst_TakesThePlaceOfTheToken_AndTheNextComesInTime()
    {
        var first = await AdvanceAsync(await BeginAsync());
        Assert.Null(first.Token);
        Assert.Null(first.Next);
        await SpeaksAsync(first);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(MembershipPath));

        // Not before two thirds of its life, and always before nearly four fifths.
        Assert.InRange(CertificateRotation.DueAt(first.Certificate!), _time.Now.AddDays(19), _time.Now.AddDays(24));
        _time.Now = _time.Now.AddDays(19);
        Assert.Equal(first, await AdvanceAsync(first));
        _time.Now = _time.Now.AddDays(5);
        var second = await AdvanceAsync(first);
        Assert.NotEqual(first.Certificate!.Key, second.Certificate!.Key);
        Assert.Equal(first.Certificate, second.Previous);
        await SpeaksAsync(second);
        await SpeaksAsync(second with { Certificate = second.Previous }); // for a while the one before holds, too

        _time.Now += CertificateRotation.Grace;
        Assert.Null((await AdvanceAsync(second)).Previous);
        Assert.Equal(2, (await _server.GetAsync($"/api/v1/devices/{Id}/certificates")).AsArray().Count);
    }

    [Fact]
    public async Task ADeviceThatWasOff_ComesBack_ByTheCertificateThatHasEnded()
    {
        var first = await AdvanceAsync(await BeginAsync());
        _time.Now = _time.Now.AddDays(120);
        Assert.Equal(DdiFault.Refused, (await Assert.ThrowsAsync<DdiException>(() => SpeaksAsync(first))).Fault);

        await SpeaksAsync(await AdvanceAsync(first));
    }

    /// <summary>A device without a clock battery, off for longer than its certificate holds, where no time server is reached.</summary>
    [Fact]
    public async Task ADeviceWhoseClockStoodStill_HearsFromTheServer_ThatItsCertificateHasEnded()
    {
        var first = await AdvanceAsync(await BeginAsync());
        var clock = new SettableTime(_time.Now);
        _time.Now = _time.Now.AddDays(40);
        var rotation = new CertificateRotation(Membership, Id, Open, new DeviceClock("/nowhere", clock));
        Assert.Equal(first, await rotation.AdvanceAsync(first, Token)); // nothing is due by its clock
        Assert.Equal(DdiFault.Refused, (await Assert.ThrowsAsync<DdiException>(() => SpeaksAsync(first))).Fault);

        rotation.NoteRefusal(first.Certificate);
        var second = await rotation.AdvanceAsync(first, Token);
        await SpeaksAsync(second); // although by its clock it has not begun
        Assert.Equal(second, await rotation.AdvanceAsync(second, Token));
    }

    [Fact]
    public async Task WithoutAServer_OrRevoked_WhatHeldBeforeStays_AndTheReasonIsSaid()
    {
        var first = await AdvanceAsync(await BeginAsync());
        _time.Now = _time.Now.AddDays(25);
        await _server.PostAsync($"/api/v1/devices/{Id}/certificates/revoke");
        var rotation = Rotation();

        Assert.Equal(DdiFault.Refused, (await Assert.ThrowsAsync<DdiException>(() => rotation.AdvanceAsync(first, Token))).Fault);
        Assert.Contains("401", rotation.Trouble, StringComparison.Ordinal);
        Assert.Equal(first.Certificate, (await ReadAsync()).Certificate);
        Assert.Equal(await ReadAsync(), await rotation.AdvanceAsync(await ReadAsync(), Token)); // not again at once
    }

    [Fact]
    public async Task WithoutAKeyToSealBy_WhatHeldBeforeStays_AndTheReasonIsSaid()
    {
        var first = await AdvanceAsync(await BeginAsync());
        _time.Now = _time.Now.AddDays(25);
        var before = await File.ReadAllBytesAsync(MembershipPath, Token);
        var rotation = new CertificateRotation(new FleetMembershipFile(MembershipPath, new SystemdCreds("/proc/nowhere/credential.secret")), Id, Open, new DeviceClock("/nowhere", _time));

        await Assert.ThrowsAsync<UserError>(() => rotation.AdvanceAsync(first, Token));
        Assert.Contains("cannot be sealed", rotation.Trouble, StringComparison.Ordinal);
        Assert.Equal(first, rotation.Reached);
        Assert.Equal(before, await File.ReadAllBytesAsync(MembershipPath, Token));
        await SpeaksAsync(await AdvanceAsync(first)); // and with one it goes on
    }

    [Fact]
    public async Task AServerWithoutEst_IsSpokenToByTheToken()
    {
        await using var other = await ServerScene.StartAsync(DatabaseKind.Postgres, secure: true, time: _time); // servers that share a database have no authority of their own
        var token = (string)(await other.PostAsync("/api/v1/devices", new { id = Id }))["token"]!;
        var membership = await BeginAsync() with { Server = other.Address.ToString(), Trust = other.Trust(), Token = token };

        var after = await AdvanceAsync(membership);
        Assert.Equal((token, null), (after.Token, after.Certificate));
        await SpeaksAsync(after);
    }

    [Fact]
    public async Task AnEmergency_OutlivesARestart_AndUsesNoKeyThatWasMadeBefore()
    {
        var first = await AdvanceAsync(await BeginAsync());
        _time.Now = _time.Now.AddDays(25);
        (_steps, _cutAt) = (0, 5); // before the switch is written
        await Assert.ThrowsAsync<PowerCutException>(() => AdvanceAsync(first));
        _cutAt = 0;
        var begun = await ReadAsync();
        Assert.True(begun.Next!.IsIssued);

        await Rotation().WantAsync(begun, isEmergency: true, Token);
        var wanted = await ReadAsync();
        Assert.Null(wanted.Next);
        await Rotation().WantAsync(wanted, isEmergency: false, Token); // nobody makes less of it
        var second = await AdvanceAsync(await ReadAsync());
        Assert.NotEqual(begun.Next.Key, second.Certificate!.Key);
        Assert.NotEqual(first.Certificate!.Key, second.Certificate.Key);
        Assert.Equal((null, CertificateWish.WhenDue), (second.Previous, second.Wish));

        // Nor is it forgotten where nothing is due.
        await Rotation().WantAsync(second, isEmergency: true, Token);
        var third = await AdvanceAsync(await ReadAsync());
        Assert.NotEqual(second.Certificate, third.Certificate);
        Assert.Null(third.Previous);
        Assert.Equal(third, await AdvanceAsync(third));
    }

    [Fact]
    public async Task OnAFullDisk_WhatHeldBeforeStays_TheReasonIsSaid_AndItIsNotTriedAtOnce()
    {
        var first = await AdvanceAsync(await BeginAsync());
        _time.Now = _time.Now.AddDays(25);
        var rotation = new CertificateRotation(new FleetMembershipFile(MembershipPath, _seal) { OnStep = _ => throw new IOException("no space left on the device") }, Id, Open, new DeviceClock("/nowhere", _time));

        await Assert.ThrowsAsync<IOException>(() => rotation.AdvanceAsync(first, Token));
        Assert.Contains("no space left", rotation.Trouble, StringComparison.Ordinal);
        Assert.Equal(first, rotation.Reached);
        Assert.Equal(first, await rotation.AdvanceAsync(first, Token));
        rotation.Reset(); // as by whoever joins again
        Assert.Null(rotation.Trouble);
        await Assert.ThrowsAsync<IOException>(() => rotation.AdvanceAsync(first, Token));
    }

    /// <summary>The power went after the proof, by which the server ends the token, and was away until the first certificate had ended.</summary>
    [Fact]
    public async Task AFirstCertificate_ThatEndsBeforeItTookItsPlace_StillGetsTheNext()
    {
        var begin = await BeginAsync();
        (_steps, _cutAt) = (0, 5);
        await Assert.ThrowsAsync<PowerCutException>(() => AdvanceAsync(begin));
        _cutAt = 0;
        _time.Now = _time.Now.AddDays(40);
        Assert.Equal(DdiFault.Refused, (await Assert.ThrowsAsync<DdiException>(() => SpeaksAsync(begin))).Fault); // the token has ended

        await Assert.ThrowsAsync<DdiException>(async () => await AdvanceAsync(await ReadAsync()));
        await SpeaksAsync(await AdvanceAsync(await ReadAsync()));
    }

    /// <summary>Wherever the power goes while the next one is made, the device is known to the server afterwards, and in the end by it.</summary>
    [Fact]
    public async Task WheneverThePowerGoes_TheDeviceIsKnown_AndGoesOn()
    {
        var held = await AdvanceAsync(await BeginAsync());
        for (var cut = 1; ; cut++)
        {
            _time.Now = _time.Now.AddDays(25);
            (_steps, _cutAt) = (0, cut);
            FleetMembership? ended = null;
            try
            {
                ended = await AdvanceAsync(held);
            }
            catch (PowerCutException)
            {
                await SpeaksAsync(await ReadAsync());
            }
            _cutAt = 0;
            var done = await AdvanceAsync(await ReadAsync());
            await SpeaksAsync(done);
            Assert.NotEqual(held.Certificate!.Key, done.Certificate!.Key);
            held = done;
            if (ended is null) continue;
            Assert.Equal(1 + 8, cut); // the one before that is let go of, the key, its certificate, the switch: before and after each
            return;
        }
    }

    private async Task<FleetMembership> ReadAsync() => (await Membership.ReadAsync(Token))!;

    private async Task<FleetMembership> BeginAsync()
    {
        var membership = new FleetMembership { Server = _server.Address.ToString(), Trust = _trust, Token = _token };
        await Membership.WriteAsync(membership, Token);
        return membership;
    }

    private CertificateRotation Rotation() => new(Membership, Id, Open, new DeviceClock("/nowhere", _time));

    private Task<FleetMembership> AdvanceAsync(FleetMembership membership) => Rotation().AdvanceAsync(membership, Token);

    private static FleetServer? Open(FleetMembership membership) => FleetServer.Of(new FleetSettings(), "/nowhere", membership);

    private async Task SpeaksAsync(FleetMembership membership)
    {
        using var client = new DdiClient(Open(membership)!, Id, _time);
        await client.AskAsync(Token);
    }
}
