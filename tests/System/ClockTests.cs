using System.Globalization;

namespace Appliance.SystemTests;

/// <summary>A box without a clock battery, where no time server is reached: every start is long before the image. (In 2001: the clock of a PC cannot say 1970.)</summary>
public sealed class ClockTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("clock").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact(Explicit = true)]
    public async Task TheClock_IsNeverBeforeTheImage_NorAfterAPowerCutBeforeTheLastTimeSeen()
    {
        var seen = 0L;
        await using (var machine = await StartAsync("clock-first"))
        {
            var (built, mark) = (await SecondsAsync(machine, "stat -c %Y /usr/lib/clock-epoch"), 0L);
            Assert.Equal(built, await SecondsAsync(machine, "stat -c %Y /usr/lib/os-release")); // by which the supervisor goes
            Assert.InRange(await SecondsAsync(machine, "cat /sys/class/rtc/rtc0/since_epoch"), 0, built - 1);
            seen = await SecondsAsync(machine, "date +%s");
            Assert.InRange(seen, built, long.MaxValue);
            Assert.NotEqual(0, (await machine.Shell.RunAsync("test -e /run/systemd/timesync/synchronized", TestContext.Current.CancellationToken)).ExitCode);
            Assert.False((bool)(await machine.StatusAsync())!["clockSet"]!);

            // Saved every minute; at the second time, the first is on the disk without anybody asking for it.
            for (var saves = 0; saves < 2; saves++)
            {
                var before = saves == 0 ? seen : mark;
                await machine.WaitAsync("the clock to be saved", async () => (mark = await SecondsAsync(machine, "stat -c %Y /var/lib/systemd/timesync/clock")) > before);
            }
        } // and the power is gone

        await using var again = await StartAsync("clock-again");
        Assert.InRange(await SecondsAsync(again, "date +%s"), seen, long.MaxValue);
        // What started with the system had it before: systemd itself puts the clock on when it starts from the root.
        Assert.InRange(await SecondsAsync(again, "date -d \"$(systemctl show -P ActiveEnterTimestamp sysinit.target)\" +%s"), seen, long.MaxValue);
    }

    private async Task<RunningMachine> StartAsync(string name)
    {
        var machine = await RunningMachine.StartAsync(name, Path.Combine(Product.Image, "disk.img"), Path.Combine(_folder, "state.qcow2"), clock: new DateTime(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        await machine.WaitForGoodBootAsync();
        return machine;
    }

    private static async Task<long> SecondsAsync(RunningMachine machine, string command) => long.Parse(await machine.RunAsync(command), CultureInfo.InvariantCulture);
}
