using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Appliance.SystemTests;

public sealed class DefaultImageTests(DefaultImageFixture fixture) : IClassFixture<DefaultImageFixture>
{
    private readonly RunningMachine _machine = fixture.Machine;

    [Fact]
    public async Task TheRoot_IsErofsUnderVerity_AndCannotBeWritten()
    {
        Assert.StartsWith("CRYPT-VERITY-", await _machine.RunAsync("cat /sys/block/dm-0/dm/uuid"), StringComparison.Ordinal);
        Assert.Equal("erofs /dev/mapper/root", await _machine.RunAsync("findmnt -no FSTYPE,SOURCE / | tr -s ' '"));
        foreach (var path in new[] { "/probe", "/usr/probe", "/etc/probe" })
        {
            var (exitCode, output) = await _machine.Shell.RunAsync($"touch {path}", TestContext.Current.CancellationToken);
            Assert.NotEqual(0, exitCode);
            Assert.Contains("Read-only file system", output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task NoUnitFailed() => Assert.Equal("", await _machine.RunAsync("systemctl --failed --no-legend --plain"));

    [Fact]
    public async Task TheFirstBoot_WasCounted_AndTheEntryIsBlessed()
    {
        Assert.True(Regex.IsMatch(fixture.FirstTrial, @"appliance_.+\+2-1\.efi$"), $"the first good boot was {fixture.FirstTrial}; the one before ended with\n{Before(fixture.FirstSerial)}");
        Assert.Equal("appliance_1.0.0.efi", await _machine.RunAsync("ls /boot/EFI/Linux"));
        var status = await _machine.StatusAsync();
        Assert.Equal("good", (string?)status!["bootState"]);
        Assert.Null((int?)status["triesLeft"]);
    }

    [Fact]
    public async Task TheDataPartition_WasGrownToTheEndOfTheDisk()
    {
        var bytes = long.Parse(await _machine.RunAsync("findmnt -bno SIZE /var"));
        Assert.InRange(bytes, 2L << 30, 8L << 30);
        Assert.Equal("", await _machine.RunAsync("sfdisk --list-free /dev/vda | awk '/^[0-9]/ { if ($3 > 4096) print }'"));
    }

    [Fact]
    public async Task PersistedPaths_SurviveTheReboot_AndTheRestOfEtcIsTheImages()
    {
        Assert.Equal(fixture.FirstMachineId, await _machine.RunAsync("cat /etc/machine-id"));
        Assert.Matches("^[0-9a-f]{32}$", fixture.FirstMachineId);
        Assert.Equal("kept-name", await _machine.RunAsync("cat /etc/hostname"));
        Assert.Equal(fixture.FirstCertificate, _machine.Certificate);
    }

    [Fact]
    public async Task TheJournal_IsPersistent_Capped_AndHoldsEarlierBoots()
    {
        Assert.InRange(int.Parse(await _machine.RunAsync("journalctl --list-boots -q | wc -l")), 2, 3); // three after the pulled plug
        Assert.Contains("256M", await _machine.RunAsync("journalctl -b -u systemd-journald --no-pager | grep -i 'System Journal' | tail -1"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheSupervisor_LogsWithFields()
    {
        var entry = JsonNode.Parse((await _machine.RunAsync("journalctl -b -t appliance-supervisor -o json --no-pager | head -1")).Split('\n')[0])!;

        Assert.NotNull(entry["MESSAGE_TEMPLATE"]);
        Assert.NotEqual("", await _machine.RunAsync("journalctl -b APPLIANCE_BOOT_STATE=good + APPLIANCE_BOOT_STATE=trial + APPLIANCE_STATE=Healthy --no-pager -q"));
    }

    [Fact]
    public async Task NoPackageManager_IsLeft()
    {
        foreach (var program in new[] { "apt", "apt-get", "dpkg", "dracut", "perl" })
            Assert.NotEqual(0, (await _machine.Shell.RunAsync($"command -v {program}", TestContext.Current.CancellationToken)).ExitCode);
    }

    [Fact]
    public async Task TheHardwareWatchdog_IsArmed()
    {
        Assert.Equal("1min", await _machine.RunAsync("systemctl show --property=RuntimeWatchdogUSec --value"));
        // The driver may come after PID 1 has looked: it looks again when it is time to feed the watchdog.
        await _machine.WaitAsync("a watchdog that is fed", async () => (await _machine.RunAsync("cat /sys/class/watchdog/watchdog*/state")).Split('\n').Contains("active"));
    }

    [Fact]
    public async Task BothConsoles_AskForALogIn() =>
        Assert.Equal("active\nactive", await _machine.RunAsync("systemctl is-active getty@tty1.service serial-getty@ttyS0.service"));

    [Fact]
    public async Task Nobody_CanLogIn() => Assert.Equal("", await _machine.RunAsync("awk -F: '$2 !~ /^[!*]/ { print $1 }' /etc/shadow"));

    [Fact]
    public async Task TheBusObject_TellsWhatThePageTells()
    {
        var status = (await _machine.StatusAsync())!;
        foreach (var (property, expected) in new[] { ("Id", "appliance"), ("Version", "1.0.0"), ("Slot", "a"), ("BootState", "good"), ("Health", "healthy") })
            Assert.Equal($"s \"{expected}\"", await _machine.RunAsync($"busctl get-property io.appliance.Supervisor1 /io/appliance/Supervisor1 io.appliance.Supervisor1 {property}"));
        Assert.Equal("a", (string?)status["slot"]);
        Assert.True((bool)status["rootVerified"]!);
        Assert.Contains("HealthReasons", await _machine.RunAsync("busctl introspect io.appliance.Supervisor1 /io/appliance/Supervisor1"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheSupervisor_RunsSandboxedAsItsOwnUser_AndSmall()
    {
        Assert.Equal("appliance", await _machine.RunAsync("ps -o user= -p $(systemctl show -p MainPID --value appliance-supervisor) 2>/dev/null || stat -c %U /proc/$(systemctl show -p MainPID --value appliance-supervisor)"));
        var line = await _machine.RunAsync("systemd-analyze security --no-pager appliance-supervisor.service | tail -1");
        Assert.Contains("OK", line, StringComparison.Ordinal);
        Assert.InRange(long.Parse(await _machine.RunAsync("awk '/VmRSS/ { print $2 }' /proc/$(systemctl show -p MainPID --value appliance-supervisor)/status")), 1, 80 << 10);
    }

    [Fact]
    public async Task ThePage_IsReadOnly_WithStrictHeaders()
    {
        using var page = await _machine.SendAsync(HttpMethod.Get, "/");
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Contains("default-src 'none'", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        using var post = await _machine.SendAsync(HttpMethod.Post, "/api/v1/status");
        Assert.Equal(HttpStatusCode.MethodNotAllowed, post.StatusCode);
        Assert.NotEqual(0, (await _machine.Shell.RunAsync("ss -Hltn 'sport = :80' | grep .", TestContext.Current.CancellationToken)).ExitCode);
    }

    /// <summary>The journey of a person at the box, over the real console, the page and the daemon that ships.</summary>
    [Fact]
    public async Task TheOwner_IsWhoeverReadsTheConsole()
    {
        using var nobody = await _machine.PostAsync("/api/v1/updates/check", null);
        Assert.Equal(HttpStatusCode.Unauthorized, nobody.StatusCode);
        var code = Regex.Match(_machine.Serial, "Setup code: ([0-9A-Z]{4}-[0-9A-Z]{4})").Groups[1].Value;
        Assert.Equal(code, await _machine.RunAsync("appliancectl setup-code"));
        Assert.Equal("600 appliance 600 appliance", await _machine.RunAsync("stat -c '%a %U' /var/lib/appliance/supervisor/access.json /run/issue.d/50-appliance.issue | paste -sd ' '"));

        using var login = await _machine.PostAsync("/api/v1/session", null, ("secret", code));
        var token = (string)JsonNode.Parse(await login.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!["token"]!;
        using var owned = await _machine.PostAsync("/api/v1/password", token, ("password", "correct horse battery"));
        using var check = await _machine.PostAsync("/api/v1/updates/check", token, ("source", "/nowhere"));

        Assert.Equal(HttpStatusCode.NoContent, owned.StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, check.StatusCode);
        await _machine.WaitAsync("the job's end in words", async () => (string?)(await _machine.ControlAsync())?["lastCheck"]?["message"] is { } message && message.Contains("/nowhere", StringComparison.Ordinal));
        Assert.NotEqual("", await _machine.RunAsync("journalctl -b -t appliance-supervisor -g 'the owner from .* asks for /api/v1/updates/check' --no-pager -q"));
    }

    [Fact]
    public async Task Metrics_AreThereForWhoeverScrapesThem()
    {
        using var answer = await _machine.SendAsync(HttpMethod.Get, "/metrics");
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        Assert.Matches("(?m)^appliance_health\\{[^}]*state=\"healthy\"[^}]*\\} 1", text);
        Assert.Matches("(?m)^appliance_data_free_bytes(\\{[^}]*\\})? [1-9]", text);
        Assert.Matches("(?m)^appliance_check_passing\\{[^}]*check=\"network\"[^}]*\\} 1", text);
    }

    [Fact]
    public async Task ASupportBundle_HasWhatTheSandboxLetsTheSupervisorSee()
    {
        await _machine.RunAsync("appliancectl support-bundle /tmp/support.tar.gz");

        var names = await _machine.RunAsync("tar -tzf /tmp/support.tar.gz");
        Assert.All(["/status.json", "/network.json", "/files/etc/os-release", "/commands/systemctl-list-units.txt", "/journal/this-boot.log", "/journal/boot-before.log"], name => Assert.Contains(name, names, StringComparison.Ordinal));
        Assert.NotEqual("0", await _machine.RunAsync("tar -xzOf /tmp/support.tar.gz --wildcards '*/journal/this-boot.log' | grep -c 'systemd\\['"));
        Assert.Contains("appliance-supervisor.service", await _machine.RunAsync("tar -xzOf /tmp/support.tar.gz --wildcards '*/commands/systemctl-list-units.txt'"), StringComparison.Ordinal);
        Assert.Equal("", await _machine.RunAsync("tar -xzOf /tmp/support.tar.gz --wildcards '*/missing.txt' 2>/dev/null || true"));
    }

    [Fact]
    public async Task ARealBrowser_ShowsHealthy()
    {
        Assert.Contains("<h2>Healthy</h2>", await BrowseAsync("--dump-dom"), StringComparison.Ordinal);
        var picture = Environment.GetEnvironmentVariable("APPLIANCE_SCREENSHOTS") == "1"
            ? Path.Combine(Product.Root, "docs", "images", "status-page.png")
            : Path.Combine(Product.Logs, "status-page.png");
        Directory.CreateDirectory(Path.GetDirectoryName(picture)!);
        await BrowseAsync($"--screenshot={picture}", "--window-size=1100,900");
        Assert.True(new FileInfo(picture).Length > 10_000);
    }

    [Fact]
    public async Task APullOfThePowerPlug_LeavesAMachineThatComesBack()
    {
        await _machine.RunAsync("dd if=/dev/urandom of=/var/lib/appliance/being-written bs=1M count=64 2>/dev/null & sync");
        await _machine.PullThePlugAsync();
        await _machine.WaitForGoodBootAsync();

        Assert.Equal("", await _machine.RunAsync("systemctl --failed --no-legend --plain"));
        Assert.Equal(fixture.FirstMachineId, await _machine.RunAsync("cat /etc/machine-id"));
    }

    /// <summary>The last words before the firmware started for the last time.</summary>
    private static string Before(string serial)
    {
        var ended = serial[..Math.Max(0, serial.LastIndexOf("BdsDxe: loading", StringComparison.Ordinal))];
        return ended[^Math.Min(3000, ended.Length)..];
    }

    private async Task<string> BrowseAsync(params string[] what)
    {
        var profile = Directory.CreateTempSubdirectory("chromium").FullName;
        try
        {
            using var process = Process.Start(new ProcessStartInfo("chromium",
                ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--ignore-certificate-errors", "--hide-scrollbars", $"--user-data-dir={profile}", "--timeout=60000", .. what, _machine.Page.ToString()])
            { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(process.ExitCode == 0, await errors);
            return output;
        }
        finally
        {
            Directory.Delete(profile, recursive: true);
        }
    }
}
