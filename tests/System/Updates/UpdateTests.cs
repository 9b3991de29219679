using System.Text.Json.Nodes;

namespace Appliance.SystemTests.Updates;

/// <summary>Updates end to end: the real image, boot loader, kernel and supervisor, with good versions and bad ones.</summary>
public sealed class UpdateTests(UpdatedDevice device)
{
    [Fact]
    public async Task AGoodVersion_IsInstalledByItself_Committed_AndDataStays()
    {
        await device.ReadyAsync();

        Assert.Equal((UpdateRepository.First, "a"), ((string?)device.Before["version"], (string?)device.Before["slot"]));
        Assert.Equal((UpdateRepository.Good, "b"), ((string?)device.After["version"], (string?)device.After["slot"]));
        Assert.Equal(["installed", "committed"], ((JsonArray)device.After["history"]!).Select(entry => (string?)entry!["outcome"]));
        Assert.All((JsonArray)device.After["slots"]!, slot => Assert.Equal("good", (string?)slot!["state"]));
        Assert.Equal(("data", "kept-name"), (device.Kept, device.Hostname));
        // Pruned with the commit; what stays is the list for the next version.
        Assert.Equal("paths", device.Snapshots);
    }

    [Fact(Explicit = true)]
    public async Task AVersionThatIsNotHealthy_GoesBackByItself_WithTheReason_AndTheStateOfBefore()
    {
        await device.PublishAsync(UpdateRepository.Unhealthy);
        await using var machine = await device.StartAsync("unhealthy");
        var status = await TryAsync(machine, UpdateRepository.Unhealthy);

        AssertBackOnGood(status, UpdateRepository.Unhealthy);
        var failed = status["failedVersions"]![0]!;
        Assert.Contains("product", (string?)failed["reason"], StringComparison.Ordinal);
        Assert.Contains("edge.service", string.Join('\n', ((JsonArray)failed["failures"]!).Select(failure => (string?)failure)), StringComparison.Ordinal);
        Assert.Contains("the product cannot work", failed["journal"]!.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal("as 1.1 likes it", await machine.RunAsync("cat /var/lib/edge/data"));

        // It is remembered: nobody gets it again without asking for it by force.
        var again = await machine.Shell.RunAsync($"appliancectl install --channel {UpdateRepository.Channel(UpdateRepository.Unhealthy)}", TestContext.Current.CancellationToken);
        Assert.NotEqual(0, again.ExitCode);
        Assert.Contains("was tried before and not kept", again.Output, StringComparison.Ordinal);
    }

    [Fact(Explicit = true)]
    public async Task AKernelThatPanics_IsGivenUp()
    {
        await device.PublishAsync(UpdateRepository.Panicking);
        await using var machine = await device.StartAsync("panicking");
        var status = await TryAsync(machine, UpdateRepository.Panicking);

        AssertBackOnGood(status, UpdateRepository.Panicking);
        Assert.Contains("never came as far as the supervisor", (string?)status["failedVersions"]![0]!["reason"], StringComparison.Ordinal);
        Assert.Equal(3, machine.Serial.Split("Kernel panic - not syncing").Length - 1);
    }

    [Fact(Explicit = true)]
    public async Task AVersionThatHangs_IsResetByTheWatchdog_AndGivenUp()
    {
        await device.PublishAsync(UpdateRepository.Hanging);
        await using var machine = await device.StartAsync("hanging", watchdog: true);
        var status = await TryAsync(machine, UpdateRepository.Hanging);

        AssertBackOnGood(status, UpdateRepository.Hanging);
        Assert.Contains("before there was a verdict", (string?)status["failedVersions"]![0]!["reason"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADowngradeAndAReplayedRepository_AreRefused()
    {
        await device.ReadyAsync();

        foreach (var (refusal, because) in device.Refusals.Zip(["older", "go back", "go back"]))
            Assert.True(refusal.ExitCode != 0 && refusal.Said.Contains(because, StringComparison.Ordinal), $"{refusal.Command}: exit code {refusal.ExitCode}\n{refusal.Said}");
        Assert.True(string.IsNullOrEmpty(device.PendingAfterRefusals));
    }

    /// <summary>Going down in good order is no verdict: neither the operator's restart nor four of them.</summary>
    [Fact(Explicit = true)]
    public async Task RestartsOnTrial_AreNoFailedTries_AndCommitNothing()
    {
        await using var machine = await device.StartAsync("restarts-on-trial");
        await machine.RunAsync("touch /var/lib/not-yet; sync");
        await machine.BeginAsync($"appliancectl install --force --version {UpdateRepository.First} --reboot true");
        for (var restart = 0; restart < 4; restart++)
        {
            JsonNode? status = null;
            await machine.WaitAsync("the trial", async () => (status = await machine.ControlAsync()) is not null && (string?)status["updateState"] == "probation" && await machine.RunAsync("cat /proc/uptime") is var uptime && double.Parse(uptime.Split(' ')[0]) > 20);
            Assert.Equal(("trial", UpdateRepository.First), ((string?)status!["bootState"], (string?)status["version"]));
            await machine.RunAsync("systemctl reboot --no-block");
            await machine.WaitAsync("the page to go away", async () => await machine.StatusAsync() is null);
        }
        await machine.WaitAsync("the trial", async () => await machine.ControlAsync() is { } status && (string?)status["updateState"] == "probation");
        await machine.RunAsync("rm /var/lib/not-yet");
        await machine.WaitAsync("the verdict", async () => await machine.ControlAsync() is { } status && (string?)status["updateState"] == "idle");

        var end = (await machine.ControlAsync())!;
        Assert.Equal((UpdateRepository.First, "committed"), ((string?)end["version"], (string?)end["lastResult"]!["outcome"]));
    }

    /// <summary>A supervisor that is restarted takes no verdict with it, and a version that a person kept is not left because its checks fail later.</summary>
    [Fact(Explicit = true)]
    public async Task ASupervisorRestartedOnTrial_IsNoVerdict_AndWhatAPersonKept_StaysUp()
    {
        await using var machine = await device.StartAsync("gate-stopped");
        await machine.RunAsync("touch /var/lib/not-yet; sync");
        await machine.BeginAsync($"appliancectl install --force --version {UpdateRepository.First} --reboot true");
        await machine.WaitAsync("the trial", async () => (string?)(await machine.ControlAsync())?["updateState"] == "probation");
        var boot = await BootAsync();

        await machine.RunAsync("systemctl restart appliance-supervisor");
        Assert.NotEqual(0, (await machine.Shell.RunAsync("systemctl stop appliance-health", TestContext.Current.CancellationToken)).ExitCode);
        await machine.WaitAsync("the supervisor", async () => await machine.ControlAsync() is { } status && (string?)status["updateState"] == "probation" && (string?)status["bootState"] == "trial");
        Assert.Equal("activating", await machine.RunAsync("systemctl show --value --property ActiveState appliance-health"));

        // Kept, it would go on to the newest version by itself.
        using var closed = device.Repository.Close();
        await machine.RunAsync("appliancectl mark-good");
        await machine.WaitAsync("the gate's own verdict", async () => await machine.RunAsync("systemctl show --value --property ActiveState appliance-health") == "failed");
        var first = await machine.RunAsync("systemctl show --value --property InvocationID appliance-health");
        await machine.RunAsync("systemctl restart appliance-supervisor");
        await machine.WaitAsync("the gate's verdict once more", async () => await machine.RunAsync("systemctl show --value --property InvocationID appliance-health") != first
            && await machine.RunAsync("systemctl show --value --property ActiveState appliance-health") == "failed");

        Assert.Equal(boot, await BootAsync());
        Assert.Contains((JsonArray)(await machine.ControlAsync())!["history"]!, entry => ((string?)entry!["outcome"], (string?)entry["version"]) == ("committed", UpdateRepository.First));

        Task<string> BootAsync() => machine.RunAsync("cat /proc/sys/kernel/random/boot_id");
    }

    /// <summary>The operator restarts in the middle: that is no failure, and nobody has to ask again.</summary>
    [Fact(Explicit = true)]
    public async Task ARestartDuringAnInstallation_IsFollowedByTheRestOfIt()
    {
        await using var machine = await device.StartAsync("restart-while-installing");
        await machine.BeginAsync($"appliancectl install --force --version {UpdateRepository.First} --reboot false");
        await machine.WaitAsync("the download", async () => (string?)(await machine.ControlAsync())?["updateState"] == "downloading");

        await machine.RebootAsync();

        await machine.WaitAsync("the rest of the installation", async () => (string?)(await machine.ControlAsync())?["updateState"] == "installed");
        var status = (await machine.ControlAsync())!;
        Assert.Equal((UpdateRepository.Good, UpdateRepository.First), ((string?)status["version"], (string?)status["pendingVersion"]));
        Assert.Equal(["installed", "committed", "installed"], ((JsonArray)status["history"]!).Select(entry => (string?)entry!["outcome"]));
        Assert.Equal("", await machine.RunAsync("systemctl --failed --plain --no-legend"));
    }

    /// <summary>What was written is damaged before its first start.</summary>
    [Fact(Explicit = true)]
    public async Task ANewVersionWithADamagedSlot_IsGivenUp()
    {
        await using var machine = await device.StartAsync("damaged-new-slot");
        await machine.RunAsync($"appliancectl install --force --version {UpdateRepository.First} --reboot false");
        await DamageAsync(machine, "a");
        await machine.BeginAsync("appliancectl reboot");

        AssertBackOnGood(await WaitForTheEndAsync(machine, UpdateRepository.First), UpdateRepository.First);
        Assert.Contains("is corrupted", machine.Serial, StringComparison.Ordinal);
    }

    /// <summary>Flash wears out under a version that was kept long ago: the device leaves it for the other slot.</summary>
    [Fact(Explicit = true)]
    public async Task ADamagedSlotThatWasKept_IsLeftForTheOther()
    {
        await using var machine = await device.StartAsync("damaged-kept-slot");
        await DamageAsync(machine, "b");
        await machine.PullThePlugAsync();
        await machine.WaitAsync("the other version", async () => await machine.ControlAsync() is { } status && (string?)status["version"] == UpdateRepository.First);
        await machine.WaitForGoodBootAsync();

        Assert.Contains("is corrupted", machine.Serial, StringComparison.Ordinal);
    }

    /// <summary>Overwrites the first quarter of a slot's root.</summary>
    private static Task DamageAsync(RunningMachine machine, string slot) =>
        machine.RunAsync($"dd if=/dev/zero of=/dev/vda{(slot == "a" ? 2 : 4)} bs=1M seek=1 count=64 conv=notrunc,fsync status=none");

    /// <summary>Installs a version, restarts into it and waits until the device stands on the good one again.</summary>
    private static async Task<JsonNode> TryAsync(RunningMachine machine, string version)
    {
        await machine.BeginAsync($"appliancectl install --channel {UpdateRepository.Channel(version)} --reboot true");
        await WaitForTheEndAsync(machine, version);
        await machine.WaitForGoodBootAsync();
        // The journal of the failed boot is read after it was noted that it failed.
        return (await machine.ControlAsync())!;
    }

    /// <summary>Waits until a version was not kept and its slot, too, is marked: the supervisor says what became of it before it does that.</summary>
    private static async Task<JsonNode> WaitForTheEndAsync(RunningMachine machine, string version)
    {
        JsonNode? status = null;
        await machine.WaitAsync($"the end of the trial of {version}", async () => (status = await machine.ControlAsync()) is not null && (string?)status["version"] == UpdateRepository.Good
            && status["failedVersions"] is JsonArray { Count: > 0 } && StateOfSlotA(status) == "bad");
        return status!;
    }

    private static string? StateOfSlotA(JsonNode status) => (string?)((JsonArray)status["slots"]!).FirstOrDefault(slot => (string?)slot!["name"] == "a")?["state"];

    private static void AssertBackOnGood(JsonNode status, string version)
    {
        Assert.Equal((UpdateRepository.Good, "b", "idle"), ((string?)status["version"], (string?)status["slot"], (string?)status["updateState"]));
        Assert.Equal(version, (string?)status["failedVersions"]![0]!["version"]);
        Assert.Equal(("rolledBack", version), ((string?)status["lastResult"]!["outcome"], (string?)status["lastResult"]!["version"]));
        Assert.Equal("bad", StateOfSlotA(status));
    }
}
