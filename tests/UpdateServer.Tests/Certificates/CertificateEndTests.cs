using System.Collections.Concurrent;
using System.Globalization;
using Appliance.UpdateServer.Certificates;
using Core.Tests.Tuf;
using Microsoft.EntityFrameworkCore;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using UpdateServer.Tests.Management;

namespace UpdateServer.Tests.Certificates;

/// <summary>The server tells of certificates that end. Meters and the log are the process', so no other test may run meanwhile.</summary>
[Collection(nameof(MetricsTests.Alone))]
public sealed class CertificateEndTests : IDisposable
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private readonly SettableTime _time = new(Noon);
    private readonly Lines _log = new();
    private readonly string _issuer = Path.GetTempFileName();

    public CertificateEndTests()
    {
        File.WriteAllText(_issuer, IssuingAuthority.Make("Tests", Noon).Issuing);
        Log.Logger = new LoggerConfiguration().WriteTo.Sink(_log).CreateLogger();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        Log.Logger = Logger.None;
        File.Delete(_issuer);
    }

    [Theory, EveryDatabase]
    public async Task ADevicesCertificate_ThatEndsAndWasNotRenewed_IsCounted(DatabaseKind kind)
    {
        await using var scene = await ServerScene.StartAsync(kind, time: _time, secure: true, issuer: _issuer);
        foreach (var id in new[] { "edge-1", "edge-2", "edge-3" }) await scene.ShowAsync(id, await scene.IssueAsync(id));
        Assert.Equal(0, await CountAsync(scene));

        _time.Now = Noon.AddDays(20);
        await scene.ShowAsync("edge-1", await scene.IssueAsync("edge-1"));
        var lost = await scene.IssueAsync("edge-3"); // nobody knows whether it arrived
        using var unused = await scene.IssueAsync("edge-4"); // a device that never comes has nothing to renew
        _time.Now = Noon.AddDays(24);
        Assert.Equal(2, await CountAsync(scene));
        Assert.Matches("appliance_server_device_certificates_expiring\\{[^}]*\\} 2", await scene.Admin.GetStringAsync("/metrics", Token));

        // One of them is gone, and one was renewed after all.
        using (var _ = await scene.Admin.DeleteAsync("/api/v1/devices/edge-2", Token)) Assert.Equal(1, await CountAsync(scene));
        await scene.ShowAsync("edge-3", lost);
        Assert.Equal(0, await CountAsync(scene));
        _time.Now = Noon.AddDays(100); // who was off for so long is silent, and comes back by itself
        Assert.Equal(0, await CountAsync(scene));
    }

    /// <summary>Among a hundred thousand devices to count takes a while; pages and scrapes do not wait for it.</summary>
    [Fact]
    public async Task WhoAsks_GetsTheNumberOfTheLastCount_AndCountingReadsNoWholeTable()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, time: _time, secure: true, issuer: _issuer);
        await scene.ShowAsync("edge-1", await scene.IssueAsync("edge-1"));
        Assert.Equal(0, await CountAsync(scene));

        _time.Now = Noon.AddDays(24);
        Assert.Equal(0, (int?)(await scene.GetAsync("/api/v1/overview"))["certificatesExpiring"]);
        Assert.Matches("appliance_server_device_certificates_expiring\\{[^}]*\\} 0", await scene.Admin.GetStringAsync("/metrics", Token));
        Assert.Equal(1, await CountAsync(scene));

        await using var context = scene.Database.Open();
        await using var command = context.WithoutRenewal(_time.Now, _time.Now.AddDays(7), countsUnshown: false).CreateDbCommand();
        command.CommandText = "EXPLAIN QUERY PLAN " + command.CommandText[command.CommandText.IndexOf("SELECT", StringComparison.Ordinal)..];
        await context.Database.OpenConnectionAsync(Token);
        var plan = new List<string>();
        await using (var rows = await command.ExecuteReaderAsync(Token))
            while (await rows.ReadAsync(Token)) plan.Add(rows.GetString(3));
        Assert.Contains(plan, step => step.Contains("IX_Certificates_ExpiresAt", StringComparison.Ordinal));
        Assert.DoesNotContain(plan, step => step.StartsWith("SCAN", StringComparison.Ordinal));
    }

    [Fact]
    public async Task TheAuthority_TellsOfItsEnd_HalfAYearBefore()
    {
        await using (var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, time: _time, issuer: _issuer))
        {
            Assert.Null((string?)(await scene.GetAsync("/api/v1/overview"))["authorityEndsAt"]);
            Assert.Matches($"appliance_server_authority_expiry_seconds\\{{[^}}]*\\}} {Noon.AddYears(10).ToUnixTimeSeconds()}", await scene.Admin.GetStringAsync("/metrics", Token));
        }
        Assert.Empty(_log.Warnings);

        _time.Now = Noon.AddYears(10).AddDays(-100);
        await using var later = await ServerScene.StartAsync(DatabaseKind.Sqlite, time: _time, issuer: _issuer);
        Assert.Equal(Noon.AddYears(10), (DateTimeOffset)(await later.GetAsync("/api/v1/overview"))["authorityEndsAt"]!);
        for (var waited = 0; _log.Warnings.IsEmpty && waited < 100; waited++) await Task.Delay(50, Token);
        Assert.StartsWith("\"CN=Tests issuing\", by which devices' certificates are issued, ends on 2036-11-28, 100 days are left;", Assert.Single(_log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AServerWithoutAuthority_TellsOfNone()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Postgres, time: _time);

        Assert.Null((string?)(await scene.GetAsync("/api/v1/overview"))["authorityEndsAt"]);
        Assert.DoesNotContain("appliance_server_authority", await scene.Admin.GetStringAsync("/metrics", Token), StringComparison.Ordinal);
    }

    private static async Task<int?> CountAsync(ServerScene scene)
    {
        await scene.Service<RenewalWatch>().LookAsync(Token);
        return (int?)(await scene.GetAsync("/api/v1/overview"))["certificatesExpiring"];
    }

    private sealed class Lines : ILogEventSink
    {
        public ConcurrentBag<string> Warnings { get; } = [];

        public void Emit(LogEvent logEvent)
        {
            if (logEvent.Level == LogEventLevel.Warning) Warnings.Add(logEvent.RenderMessage(CultureInfo.InvariantCulture));
        }
    }
}
