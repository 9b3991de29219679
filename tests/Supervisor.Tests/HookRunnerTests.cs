using System.Diagnostics;
using Appliance.Core;
using Appliance.Supervisor.Hooks;

namespace Supervisor.Tests;

/// <summary>Real scripts, run as the user of the tests, which must be root as on a device.</summary>
public sealed class HookRunnerTests : IDisposable
{
    private static readonly HookContext Context = new() { Version = "1.1", FromVersion = "1.0", Slot = "b", Reason = "the page was down" };
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hooks");

    private string Image => Path.Combine(_folder.FullName, "usr");
    private string Local => Path.Combine(_folder.FullName, "etc");
    private string Out => Path.Combine(_folder.FullName, "out");

    public void Dispose() => _folder.Delete(recursive: true);

    private HookRunner Runner(double seconds = 60, double grace = 5) => new([Image, Local], TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(grace));

    private static string Write(string folder, string point, string name, string script, string mode = "755")
    {
        var path = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, point)).FullName, name);
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32(mode, 8));
        return path;
    }

    private string[] Ran => File.Exists(Out) ? File.ReadAllLines(Out) : [];

    [Fact]
    public async Task Hooks_RunInTheOrderOfTheirNames_OverBothFolders()
    {
        Write(Image, "pre-install.d", "30-c", $"echo c >> {Out}");
        Write(Local, "pre-install.d", "20-b", $"echo b >> {Out}");
        Write(Image, "pre-install.d", "10-a", $"echo a >> {Out}");
        Write(Image, "post-install.d", "10-other", $"echo other >> {Out}");
        Write(Image, "pre-install.d", ".hidden", $"echo hidden >> {Out}");

        Assert.Empty(await Runner().RunAsync(HookPoint.PreInstall, Context, TestContext.Current.CancellationToken));

        Assert.Equal(["a", "b", "c"], Ran);
    }

    [Fact]
    public async Task AHookInEtc_ReplacesTheImages_AndALinkToDevNullMasksIt()
    {
        Write(Image, "pre-reboot.d", "10-replaced", $"echo image >> {Out}");
        Write(Local, "pre-reboot.d", "10-replaced", $"echo local >> {Out}");
        Write(Image, "pre-reboot.d", "20-masked", $"echo masked >> {Out}");
        File.CreateSymbolicLink(Path.Combine(Local, "pre-reboot.d", "20-masked"), "/dev/null");

        await Runner().RunAsync(HookPoint.PreReboot, Context, TestContext.Current.CancellationToken);

        Assert.Equal(["local"], Ran);
    }

    [Fact]
    public async Task WithoutFolders_NothingRuns() => Assert.Empty(await Runner().RunAsync(HookPoint.PostCommit, Context, TestContext.Current.CancellationToken));

    [Fact]
    public async Task TheEnvironment_IsExactlyTheDocumentedOne_AndStandardInputIsAtItsEnd()
    {
        Write(Image, "post-rollback.d", "env", $"tr '\\0' '\\n' < /proc/$$/environ > {Out}; echo \"read $(wc -c) bytes\" >> {Out}; echo \"in $(pwd)\" >> {Out}");

        await Runner().RunAsync(HookPoint.PostRollback, Context, TestContext.Current.CancellationToken);

        string[] expected =
        [
            "APPLIANCE_FROM_VERSION=1.0", "APPLIANCE_POINT=post-rollback", "APPLIANCE_REASON=the page was down", "APPLIANCE_SLOT=b", "APPLIANCE_VERSION=1.1",
            "LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "in /", "read 0 bytes",
        ];
        Assert.Equal(expected, Ran.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task AFailingPreHook_StopsTheRest_AndTheErrorNamesHookCodeAndLastLines()
    {
        var hook = Write(Image, "pre-install.d", "10-fails", "seq 1 100; echo 'no room in the attic' >&2; exit 7");
        Write(Image, "pre-install.d", "20-never", $"echo ran >> {Out}");

        var error = await Assert.ThrowsAsync<UserError>(() => Runner().RunAsync(HookPoint.PreInstall, Context, TestContext.Current.CancellationToken));

        Assert.StartsWith($"The hook {hook} failed with exit code 7: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("no room in the attic", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(" 50 ", error.Message, StringComparison.Ordinal);
        Assert.Contains("/dev/null", error.Hint!, StringComparison.Ordinal);
        Assert.Empty(Ran);
    }

    [Fact]
    public async Task AFailingPostHook_IsAWarning_AndTheRestRuns()
    {
        Write(Image, "post-commit.d", "10-fails", "exit 3");
        Write(Image, "post-commit.d", "20-runs", $"echo ran >> {Out}");

        var warnings = await Runner().RunAsync(HookPoint.PostCommit, Context, TestContext.Current.CancellationToken);

        Assert.Contains("10-fails failed with exit code 3: it printed nothing", Assert.Single(warnings), StringComparison.Ordinal);
        Assert.Equal(["ran"], Ran);
    }

    [Fact]
    public async Task AHookThatHangs_IsKilledWithItsGrandchildren()
    {
        // Neither it nor its grandchild heeds SIGTERM.
        Write(Image, "pre-install.d", "hang", $"trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $! >> {Out}; echo waiting; while :; do sleep 1; done");

        var error = await Assert.ThrowsAsync<UserError>(() => Runner(seconds: 1, grace: 0.5).RunAsync(HookPoint.PreInstall, Context, TestContext.Current.CancellationToken));

        Assert.Contains("did not end within 1 s and was ended: waiting", error.Message, StringComparison.Ordinal);
        await Eventually.IsTrueAsync(() => !IsAlive(Ran[0]), "the grandchild's end");
    }

    [Fact]
    public async Task WhatAHookLeavesBehind_IsEnded()
    {
        Write(Image, "post-install.d", "daemon", $"sleep 1000 & echo $! >> {Out}");

        Assert.Empty(await Runner().RunAsync(HookPoint.PostInstall, Context, TestContext.Current.CancellationToken));

        await Eventually.IsTrueAsync(() => !IsAlive(Ran[0]), "the sleeper's end");
    }

    [Fact]
    public async Task ACancelledUpdate_EndsItsHook()
    {
        Write(Image, "pre-install.d", "hang", $"echo $$ >> {Out}; exec sleep 1000");
        using var cancel = new CancellationTokenSource();

        var run = Runner().RunAsync(HookPoint.PreInstall, Context, cancel.Token);
        await Eventually.IsTrueAsync(() => Ran.Length == 1, "the hook's start");
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.False(IsAlive(Ran[0]));
    }

    [Theory]
    [InlineData("777", "can be written by others than root")]
    [InlineData("775", "can be written by others than root")]
    [InlineData("644", "is not executable")]
    public async Task Refuses_AHookWithTheWrongMode(string mode, string message)
    {
        Write(Local, "pre-install.d", "open", $"echo ran >> {Out}", mode);

        var error = await Assert.ThrowsAsync<UserError>(() => Runner().RunAsync(HookPoint.PreInstall, Context, TestContext.Current.CancellationToken));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Empty(Ran);
    }

    [Fact]
    public async Task Refuses_AHookThatIsNotRoots_AlsoBehindALink()
    {
        var target = Write(_folder.FullName, "elsewhere", "script", $"echo ran >> {Out}");
        using (var chown = Process.Start("chown", ["nobody", target])) await chown.WaitForExitAsync(TestContext.Current.CancellationToken);
        Directory.CreateDirectory(Path.Combine(Local, "pre-install.d"));
        File.CreateSymbolicLink(Path.Combine(Local, "pre-install.d", "link"), target);

        var error = await Assert.ThrowsAsync<UserError>(() => Runner().RunAsync(HookPoint.PreInstall, Context, TestContext.Current.CancellationToken));

        Assert.Contains($"{target} belongs to user 65534", error.Message, StringComparison.Ordinal);
        Assert.Empty(Ran);
    }

    [Fact]
    public async Task Refuses_AFolderThatEverybodyWrites()
    {
        Write(Local, "post-install.d", "fine", $"echo ran >> {Out}");
        File.SetUnixFileMode(Path.Combine(Local, "post-install.d"), (UnixFileMode)Convert.ToInt32("777", 8));

        Assert.Contains("post-install.d can be written", Assert.Single(await Runner().RunAsync(HookPoint.PostInstall, Context, TestContext.Current.CancellationToken)), StringComparison.Ordinal);

        Assert.Empty(Ran);
    }

    private static bool IsAlive(string id)
    {
        var status = $"/proc/{id}/stat";
        return File.Exists(status) && !File.ReadAllText(status).Contains(") Z ", StringComparison.Ordinal);
    }
}
