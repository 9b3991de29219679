using System.Text.Json.Nodes;

namespace Appliance.SystemTests.Updates;

/// <summary>
/// The power goes at moments nobody chose, again and again: while a version is fetched and written, around the change of the
/// boot entry, in the first start and on trial. The device always comes up, whole, and the update can be tried again.
/// </summary>
public sealed class PowerCutTests(UpdatedDevice device, ITestOutputHelper output)
{
    private const int Devices = 2, Updates = 4, CutsAnUpdate = 4;
    private int _cuts;

    [Fact(Explicit = true)]
    public async Task WheneverThePowerGoes_TheDeviceComesUpOnAWholeVersion_AndTheUpdateCanBeRetried()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        // Side by side: each machine keeps one processor busy.
        var journeys = new List<Task>();
        for (var number = 1; number <= Devices; number++) journeys.Add(TellAsync(await device.StartAsync($"power-cuts-{number}"), number, new Random(seed + number)));
        await Task.WhenAll(journeys);
        Assert.True(_cuts >= 25, $"{_cuts} cuts are fewer than 25");
    }

    /// <summary>The other journey may go on for an hour: what went wrong is said at once.</summary>
    private async Task TellAsync(RunningMachine machine, int number, Random random)
    {
        try
        {
            await GoAsync(machine, number, random);
        }
        catch (Exception e)
        {
            output.WriteLine($"device {number}: {e}");
            throw;
        }
    }

    /// <summary>To and fro: to the newest version the device goes by itself, as it always would; the older one is asked for.</summary>
    private async Task GoAsync(RunningMachine machine, int number, Random random)
    {
        await using var owned = machine;
        var version = UpdateRepository.Good;
        for (var update = 0; update < Updates; update++)
        {
            var target = version == UpdateRepository.Good ? UpdateRepository.First : UpdateRepository.Good;
            if (target == UpdateRepository.Good) await CutItsOwnUpdateAsync(target);
            else await CutAnOrderedUpdateAsync(target);
            version = await StandOnAsync(machine, target);
            Assert.Equal("data", await machine.RunAsync("cat /var/lib/kept"));
            Assert.Equal("", await machine.RunAsync("systemctl --failed --plain --no-legend"));
            output.WriteLine($"device {number} stands on {version}");
        }

        // It looks within a minute, and restarts when it is done: the cuts come while it fetches, writes, starts and proves itself.
        async Task CutItsOwnUpdateAsync(string target)
        {
            for (var cut = 0; cut < CutsAnUpdate; cut++)
            {
                await CutAsync($"its own update to {target}", TimeSpan.FromSeconds(random.NextDouble() * 90));
                await ComeUpAsync(machine);
            }
        }

        async Task CutAnOrderedUpdateAsync(string target)
        {
            // While it is fetched and written: how long that takes varies, so some come before and some after.
            for (var cut = 0; cut < CutsAnUpdate / 2; cut++)
            {
                await machine.BeginAsync(Install(target, reboot: false));
                await CutAsync($"installing {target}", TimeSpan.FromSeconds(random.NextDouble() * 25));
                Assert.Equal(version, await ComeUpAsync(machine));
            }
            await machine.RunAsync(Install(target, reboot: false));
            await machine.BeginAsync("appliancectl reboot --force");
            // First start and trial: each of these may be one try, and there are three; one when the version is older.
            for (var cut = CutsAnUpdate / 2; cut < CutsAnUpdate; cut++)
            {
                await CutAsync($"starting {target}", TimeSpan.FromSeconds(5 + (random.NextDouble() * 55)));
                await ComeUpAsync(machine);
            }
        }

        async Task CutAsync(string during, TimeSpan after)
        {
            await Task.Delay(after, TestContext.Current.CancellationToken);
            await machine.PullThePlugAsync();
            output.WriteLine($"device {number}, cut {Interlocked.Increment(ref _cuts)}, {after.TotalSeconds:0.0} s into {during}");
        }
    }

    /// <summary>The version is kept, or waits, or comes, or was given up with a reason; then the next try brings it.</summary>
    private static async Task<string> StandOnAsync(RunningMachine machine, string target)
    {
        await machine.WaitAsync($"version {target} kept or given up", async () =>
        {
            if (await StandingAsync(machine) is not { Length: > 0 } version) return false;
            if (version == target) return true;
            var status = (await machine.ControlAsync())!;
            var givenUp = status["failedVersions"]!.AsArray().Any(entry => (string?)entry!["version"] == target);
            // An older one waits for its restart; or it was kept, and the device has gone on to the newest by itself.
            var kept = status["history"]!.AsArray().Any(entry => (string?)entry!["version"] == target && (string?)entry["outcome"] == "committed");
            return givenUp || (target == UpdateRepository.First && ((string?)status["updateState"] == "installed" || kept));
        });
        if (await StandingAsync(machine) == target) return target;
        await machine.BeginAsync(Install(target, reboot: true));
        await machine.WaitAsync($"version {target}, kept", async () => await StandingAsync(machine) == target);
        return target;
    }

    /// <summary>The device may just be looking for itself, and does one thing at a time.</summary>
    private static string Install(string version, bool reboot) =>
        $"(for attempt in 1 2 3 4 5 6; do appliancectl install --force --version {version} --reboot {(reboot ? "true" : "false")} && exit; sleep 10; done; exit 1)";

    private static async Task<string> ComeUpAsync(RunningMachine machine)
    {
        var version = "";
        await machine.WaitAsync("a whole version, kept", async () => (version = await StandingAsync(machine)).Length > 0);
        return version;
    }

    /// <summary>The version on which the device stands, or an empty text while it is on its way.</summary>
    private static async Task<string> StandingAsync(RunningMachine machine) =>
        await machine.StatusAsync() is { } page && (string?)page["health"] == "healthy" && (string?)page["bootState"] == "good"
        && await machine.ControlAsync() is { } status && (string?)status["updateState"] is "idle" or "downloading" or "installed" ? (string)status["version"]! : "";
}
