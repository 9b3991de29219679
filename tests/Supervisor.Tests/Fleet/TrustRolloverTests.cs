using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core;
using Appliance.Core.Fleet;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Secrets;
using Core.Tests.Tuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Supervisor.Tests.Updates;

namespace Supervisor.Tests.Fleet;

/// <summary>The authority of the server's certificate becomes another one, over TLS as it is.</summary>
public sealed class TrustRolloverTests : IAsyncLifetime
{
    private static readonly TimeSpan Later = TimeSpan.FromHours(13);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rollover");
    private readonly SteppedTime _time = new();
    private readonly Authority _old = new("old"), _new = new("new");
    private WebApplication _server = null!;
    private X509Certificate2 _shown = null!;
    private string? _says;
    private int _cutAt, _steps;
    private TrustRollover _rollover = null!;
    private FleetMembership _membership = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private FleetMembershipFile Membership => new(Path.Combine(_folder.FullName, "fleet.json"), new SystemdCreds(Path.Combine(_folder.FullName, "credential.secret"))) { OnStep = _ => { if (++_steps == _cutAt) throw new PowerCutException(); } };

    public async ValueTask InitializeAsync()
    {
        _shown = _old.Issue();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(https => https.ServerCertificateSelector = (_, _) => _shown)));
        _server = builder.Build();
        _server.MapGet(ServerTrust.RolloverPath, () => _says is { } pem ? Results.Text(pem) : Results.NotFound());
        await _server.StartAsync(Token);
        _membership = new FleetMembership { Server = _server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single(), Trust = _old.Pem, Token = new string('t', 32) };
        await Membership.WriteAsync(_membership, Token);
        Start();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task TheNextAuthority_IsHeardOf_Proved_AndTheOldOneGoes()
    {
        Assert.Equal(_membership, await AdvanceAsync()); // the server says nothing of it
        _says = _old.Pem;
        Assert.Equal(_membership, await AdvanceAsync()); // or what is known

        _says = $"{_old.Pem}\n{_new.Pem}";
        await AdvanceAsync();
        Assert.True(await IsReachedAsync(_old));
        Assert.True(await IsReachedAsync(_new));

        _shown = _new.Issue();
        _says = _new.Pem;
        var learned = (await AdvanceAsync()).Learned!;
        Assert.Equal(_time.GetUtcNow() + TrustRollover.Grace, learned.BeforeUntil);
        Assert.True(await IsReachedAsync(_old)); // servers behind one address change one after the other
        Assert.True(await IsReachedAsync(_new));

        _time.Advance(TrustRollover.Grace);
        Assert.Null((await AdvanceAsync()).Learned!.Before);
        Assert.False(await IsReachedAsync(_old));
        Assert.True(await IsReachedAsync(_new));
        Assert.Equal(_membership, await Membership.ReadAsync(Token));
    }

    /// <summary>Whoever names an authority that the server does not show has lost nobody: neither now, nor when it shows it.</summary>
    [Fact]
    public async Task WhatIsNotShown_KeepsWhatWasBefore_UntilItIs()
    {
        _says = _new.Pem;
        Assert.Null((await AdvanceAsync()).Learned!.BeforeUntil);
        _time.Advance(TimeSpan.FromDays(400));
        await AdvanceAsync();
        Assert.True(await IsReachedAsync(_old));
        Assert.True(await IsReachedAsync(_new));

        _shown = _new.Issue();
        Assert.NotNull((await AdvanceAsync()).Learned!.BeforeUntil);
        _time.Advance(TrustRollover.Grace);
        await AdvanceAsync();
        Assert.False(await IsReachedAsync(_old));
        Assert.True(await IsReachedAsync(_new));
    }

    [Fact]
    public async Task AnotherWord_OfTheImageOrTheJoin_IsStronger()
    {
        _says = $"{_old.Pem}\n{_new.Pem}";
        await AdvanceAsync();
        var third = new Authority("third");

        _membership = _membership with { Trust = third.Pem };

        Assert.False(await IsReachedAsync(_old));
        Assert.True(await IsReachedAsync(third));
    }

    /// <summary>The old key may be why there is a new authority.</summary>
    [Fact]
    public async Task WhoIsOnTheWayOut_DoesNotNameWhoComes()
    {
        _says = $"{_old.Pem}\n{_new.Pem}";
        await AdvanceAsync();
        _shown = _new.Issue();
        _says = _new.Pem;
        var learned = (await AdvanceAsync()).Learned;

        _shown = _old.Issue();
        _says = new Authority("a thief's").Pem;
        _time.Advance(Later);
        await Assert.ThrowsAsync<DdiException>(() => _rollover.AdvanceAsync(_membership, Token));
        Assert.Equal(learned, _rollover.Reached!.Learned);
        _time.Advance(TrustRollover.Grace);
        await Assert.ThrowsAsync<DdiException>(() => _rollover.AdvanceAsync(_membership, Token));

        // And what has gone is gone, also where the server cannot be asked then.
        Assert.Equal((_new.Pem, null), (_rollover.Reached!.Learned!.Pem, _rollover.Reached.Learned.Before));
        Assert.Equal(_rollover.Reached, await Membership.ReadAsync(Token));
    }

    /// <summary>A device whose clock is behind would let go of the old one as soon as a time server sets it.</summary>
    [Fact]
    public async Task NoTimeIsOver_ByAClockThatNobodyHasSet()
    {
        _says = $"{_old.Pem}\n{_new.Pem}";
        await AdvanceAsync();
        File.Delete(Path.Combine(_folder.FullName, "run/systemd/timesync/synchronized"));
        _time.Advance(TrustRollover.Grace);
        Assert.NotNull((await AdvanceAsync()).Learned!.Before);
    }

    [Fact]
    public async Task TheSameCertificates_WrittenAnotherWay_AreTheSameWord()
    {
        _says = $"{_old.Pem}\n{_new.Pem}";
        await AdvanceAsync();
        _membership = _membership with { Trust = $"# of the plant\r\n{_old.Pem.Replace("\n", "\r\n", StringComparison.Ordinal)}\r\n" };
        Assert.True(await IsReachedAsync(_new));
    }

    [Theory]
    [InlineData("no certificate")]
    [InlineData("")]
    public async Task WhatIsNoCertificate_ChangesNothing(string said)
    {
        _says = said;
        _time.Advance(Later);
        await Assert.ThrowsAsync<UserError>(() => _rollover.AdvanceAsync(_membership, Token));
        Assert.Equal(_membership, await Membership.ReadAsync(Token));
        Assert.True(await IsReachedAsync(_old));
    }

    [Fact]
    public async Task WhoeverIsNotTheServer_IsNotAsked()
    {
        _shown = _new.Issue();
        _says = _new.Pem;
        _time.Advance(Later);
        await Assert.ThrowsAsync<DdiException>(() => _rollover.AdvanceAsync(_membership, Token));
        Assert.Null((await Membership.ReadAsync(Token))!.Learned);
    }

    [Fact]
    public async Task ItIsAskedOnceInAWhile()
    {
        await AdvanceAsync();
        _says = $"{_old.Pem}\n{_new.Pem}";
        Assert.Null((_membership = await _rollover.AdvanceAsync(_membership, Token)).Learned);
        Assert.NotNull((await AdvanceAsync()).Learned);
    }

    [Fact]
    public async Task WheneverThePowerGoes_TheServerIsReached()
    {
        for (var cut = 1; ; cut++)
        {
            await DisposeAsync();
            _folder.Create();
            await InitializeAsync();
            (_steps, _cutAt) = (0, cut);
            try
            {
                _says = $"{_old.Pem}\n{_new.Pem}";
                await AdvanceAsync();
                _shown = _new.Issue();
                _says = _new.Pem;
                await AdvanceAsync();
                _time.Advance(TrustRollover.Grace);
                await AdvanceAsync();
                Assert.InRange(cut, 4, 20);
                return;
            }
            catch (PowerCutException)
            {
                _cutAt = 0;
                Start();
                _membership = (await Membership.ReadAsync(Token))!;
                using var client = Open(_membership)!.CreateClient(1 << 10);
                Assert.True((await client.GetAsync(Open(_membership)!.Address + "x", Token)).StatusCode == HttpStatusCode.NotFound);
                // And it comes to its end.
                _shown = _new.Issue();
                _says = _new.Pem;
                if (_membership.Learned is not null)
                {
                    await AdvanceAsync();
                    _time.Advance(TrustRollover.Grace);
                    await AdvanceAsync();
                    Assert.False(await IsReachedAsync(_old));
                    Assert.True(await IsReachedAsync(_new));
                }
            }
        }
    }

    private void Start()
    {
        // A time server has set the clock, and the image is older.
        foreach (var file in new[] { "run/systemd/timesync/synchronized", "usr/lib/os-release" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder.FullName, file))!);
            File.WriteAllText(Path.Combine(_folder.FullName, file), "");
        }
        File.SetLastWriteTimeUtc(Path.Combine(_folder.FullName, "usr/lib/os-release"), new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        _rollover = new TrustRollover(Membership, membership => membership.Trust, Open, new DeviceClock(_folder.FullName, _time));
    }

    private static FleetServer? Open(FleetMembership membership) => FleetServer.Of(new FleetSettings(), "/nowhere", membership);

    /// <summary>It is time to ask.</summary>
    private async Task<FleetMembership> AdvanceAsync()
    {
        _time.Advance(Later);
        return _membership = await _rollover.AdvanceAsync(_membership, Token);
    }

    /// <summary>Whether a server with a certificate of this authority would be spoken to.</summary>
    private async Task<bool> IsReachedAsync(Authority authority)
    {
        var before = _shown;
        _shown = authority.Issue();
        try
        {
            using var client = Open(_membership)!.CreateClient(1 << 10);
            using var answer = await client.GetAsync(Open(_membership)!.Address, Token);
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
        finally
        {
            _shown = before;
        }
    }

    private sealed class Authority
    {
        private readonly X509Certificate2 _certificate;

        public Authority(string name)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddYears(5));
            Pem = ServerTrust.Parse(_certificate.ExportCertificatePem()).Pem;
        }

        public string Pem { get; }

        /// <summary>A certificate for this machine.</summary>
        public X509Certificate2 Issue()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=server", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddIpAddress(IPAddress.Loopback);
            request.CertificateExtensions.Add(names.Build());
            using var issued = request.Create(_certificate, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddYears(2), RandomNumberGenerator.GetBytes(8));
            using var whole = issued.CopyWithPrivateKey(key);
            return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null);
        }
    }

    /// <summary>A clock that goes when it is told to.</summary>
    private sealed class SteppedTime : TimeProvider
    {
        private TimeSpan _passed;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Advance(TimeSpan by) => _passed += by;

        public override long GetTimestamp() => _passed.Ticks;

        public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2026, 12, 1, 0, 0, 0, TimeSpan.Zero) + _passed;
    }
}
