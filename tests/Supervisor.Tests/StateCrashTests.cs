using Appliance.Supervisor.State;
using Appliance.Supervisor.Updates;

namespace Supervisor.Tests;

/// <summary>
/// The power is cut at every operation of a snapshot, a restore and a commit. Whatever boots next: after going back the state is
/// exactly what the old version left, after a commit exactly what the new one has, and nothing is left over.
/// </summary>
public sealed class StateCrashTests
{
    /// <summary>More operations than there are; each test asserts that it came to the end.</summary>
    private const int Enough = 400;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static Task BootAsync(StateDevice device, string version, StateDisk? disk = null)
    {
        device.Boots(version);
        return device.Snapshots(disk).RunAtBootAsync(Token);
    }

    private static async Task<bool> IsCutAsync(PowerCut cut, Func<Task> work)
    {
        try
        {
            await work();
            Assert.False(cut.Happened);
            return false;
        }
        catch (PowerIsGone)
        {
            return true;
        }
    }

    /// <summary>Runs a scenario with the power cut at the first operation, the second, and so on, until it comes to its end; returns how many there were.</summary>
    private static async Task<int> AtEveryOperationAsync(Func<StateDevice, PowerCut, Task<bool>> wasCut)
    {
        for (var at = 1; at < Enough; at++)
        {
            using var device = new StateDevice();
            if (!await wasCut(device, new PowerCut(at))) return at - 1;
        }
        throw new InvalidOperationException("there was no end");
    }

    private static async Task InstalledAsync(StateDevice device)
    {
        await BootAsync(device, StateDevice.Old);
        device.Install();
    }

    private static async Task TriedAsync(StateDevice device)
    {
        await InstalledAsync(device);
        await BootAsync(device, StateDevice.New);
        device.NewVersionRuns();
    }

    private static void AssertTheOldStateIsBack(StateDevice device)
    {
        Assert.Equal(StateDevice.OldState, device.State);
        Assert.Empty(device.Leftovers);
    }

    [Fact]
    public void TheTwoStatesDiffer() => Assert.NotEqual(StateDevice.OldState, StateDevice.NewState);

    [Fact]
    public async Task ASnapshotThatIsCut_IsMadeAtTheNextTry()
    {
        var operations = await AtEveryOperationAsync(async (device, cut) =>
        {
            await InstalledAsync(device);
            var wasCut = await IsCutAsync(cut, () => BootAsync(device, StateDevice.New, cut.Disk()));
            await BootAsync(device, StateDevice.New);
            device.NewVersionRuns();
            await BootAsync(device, StateDevice.Old);
            AssertTheOldStateIsBack(device);
            return wasCut;
        });
        Assert.InRange(operations, 10, Enough);
    }

    [Fact]
    public async Task ASnapshotThatIsCut_HarmsNothingWhenTheOldVersionBootsNext()
    {
        await AtEveryOperationAsync(async (device, cut) =>
        {
            await InstalledAsync(device);
            var wasCut = await IsCutAsync(cut, () => BootAsync(device, StateDevice.New, cut.Disk()));
            await BootAsync(device, StateDevice.Old);
            AssertTheOldStateIsBack(device);
            return wasCut;
        });
    }

    [Fact]
    public async Task ARestoreThatIsCut_IsFinishedAtTheNextBoot()
    {
        var operations = await AtEveryOperationAsync(async (device, cut) =>
        {
            await TriedAsync(device);
            var wasCut = await IsCutAsync(cut, () => BootAsync(device, StateDevice.Old, cut.Disk()));
            await BootAsync(device, StateDevice.Old);
            AssertTheOldStateIsBack(device);
            Assert.Equal(StateDevice.Old, device.Snapshots().LastRestore()!.To);
            return wasCut;
        });
        Assert.InRange(operations, 40, Enough);
    }

    /// <summary>The boot loader may try the new version once more after a restore was cut: the old state is completed, and kept aside anew.</summary>
    [Fact]
    public async Task ARestoreThatIsCut_IsFinishedBeforeTheNewVersionRunsAgain()
    {
        await AtEveryOperationAsync(async (device, cut) =>
        {
            await TriedAsync(device);
            var wasCut = await IsCutAsync(cut, () => BootAsync(device, StateDevice.Old, cut.Disk()));
            await BootAsync(device, StateDevice.New);
            device.NewVersionRuns();
            await BootAsync(device, StateDevice.Old);
            AssertTheOldStateIsBack(device);
            return wasCut;
        });
    }

    [Fact]
    public async Task ARestoreThatIsCutTwice_IsFinishedAtTheThirdBoot()
    {
        var random = new Random(4);
        for (var round = 0; round < 40; round++)
        {
            using var device = new StateDevice();
            await TriedAsync(device);
            for (var boots = 0; boots < 2; boots++)
            {
                var cut = new PowerCut(random.Next(1, 60));
                await IsCutAsync(cut, () => BootAsync(device, StateDevice.Old, cut.Disk()));
            }
            await BootAsync(device, StateDevice.Old);
            AssertTheOldStateIsBack(device);
        }
    }

    /// <summary>Programs that run before us at a boot make their folders again, empty.</summary>
    [Fact]
    public async Task ARestoreThatIsCut_MindsNotWhatTmpfilesMakesInBetween()
    {
        await AtEveryOperationAsync(async (device, cut) =>
        {
            await TriedAsync(device);
            var wasCut = await IsCutAsync(cut, () => BootAsync(device, StateDevice.Old, cut.Disk()));
            StateDevice.Run("/bin/sh", "-euc", $"cd {device.Root}/var/lib; mkdir -p shop; [ -e shop/tls ] || mkdir shop/tls; mkdir -p old");
            await BootAsync(device, StateDevice.Old);
            AssertTheOldStateIsBack(device);
            return wasCut;
        });
    }

    [Fact]
    public async Task ACommitThatIsCut_IsFinishedAtTheNextBoot()
    {
        var operations = await AtEveryOperationAsync(async (device, cut) =>
        {
            await TriedAsync(device);
            TrialRecord.Delete(device.Layout.Trial);
            var wasCut = await IsCutAsync(cut, () => CommitAsync(device, cut.Disk()));
            await BootAsync(device, StateDevice.New);
            Assert.Equal(StateDevice.NewState, device.State);
            Assert.Empty(device.Leftovers);
            return wasCut;
        });
        Assert.InRange(operations, 3, Enough);

        static Task CommitAsync(StateDevice device, StateDisk disk) => device.Snapshots(disk).CommitAsync();
    }

    /// <summary>A disk of its own: entries are copied back, which a cut leaves half done.</summary>
    [Fact]
    public async Task ARestoreToAnotherFileSystemThatIsCut_IsFinishedAtTheNextBoot()
    {
        await AtEveryOperationAsync(async (device, cut) =>
        {
            var shop = Path.Combine(device.Root, "var/lib/shop");
            Directory.Move(shop, shop + ".aside");
            Directory.CreateDirectory(shop);
            StateDevice.Run("mount", "-t", "tmpfs", "-o", "size=16m,mode=0711", "state-test", shop);
            try
            {
                StateDevice.Run("cp", "-a", shop + ".aside/.", shop);
                await InstalledAsync(device);
                await BootAsync(device, StateDevice.New);
                StateDevice.Run("/bin/sh", "-euc", $"cd {shop}; rm -rf tls token; echo new > fresh; chmod 0700 .");
                var wasCut = await IsCutAsync(cut, () => BootAsync(device, StateDevice.Old, cut.Disk()));
                await BootAsync(device, StateDevice.Old);
                AssertTheOldStateIsBack(device);
                return wasCut;
            }
            finally
            {
                StateDevice.Run("umount", shop);
            }
        });
    }
}
