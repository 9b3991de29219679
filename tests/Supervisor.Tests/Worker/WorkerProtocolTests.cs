using System.Collections.Concurrent;
using System.IO.Pipes;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;
using UpdateClient.Tests.Install;
using UpdateClient.Tests.Sources;

namespace Supervisor.Tests.Worker;

/// <summary>Daemon and worker, both real, over a real socket.</summary>
public sealed class WorkerProtocolTests : IAsyncLifetime
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    private WorkerScene _scene = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _scene = new WorkerScene();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    [Fact]
    public async Task Slots_AreRead()
    {
        var slots = (await _scene.Client.RunAsync(new WorkerRequest { Verb = WorkerVerb.Slots }, null, null, Token)).Slots!;

        Assert.Equal([("a", true, SlotState.Good, "1.0"), ("b", false, SlotState.Empty, null)], slots.Select(slot => (slot.Name, slot.Running, slot.State, slot.Version)));
    }

    /// <summary>appliance-trial-failed.service looks at it.</summary>
    [Theory]
    [InlineData(nameof(WorkerVerb.MarkGood))]
    [InlineData(nameof(WorkerVerb.Commit))]
    public async Task WhatIsKept_IsMarked_ForTheGate(string verb)
    {
        await _scene.Client.RunAsync(new WorkerRequest { Verb = Enum.Parse<WorkerVerb>(verb), Version = "1.0" }, null, null, TestContext.Current.CancellationToken);

        Assert.True(File.Exists(Path.Combine(_scene.Disk.Root, "run/appliance/kept")));
        Assert.Contains("ConditionPathExists=!/run/appliance/kept\n", File.ReadAllText(Path.Combine(Repository.Folder, "image/overlays/supervisor/usr/lib/systemd/system/appliance-trial-failed.service")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnInstallation_TellsItsProgress_AndEndsOnTrial()
    {
        await _scene.PublishAsync();
        var steps = new Steps();

        var result = await _scene.Client.RunAsync(_scene.Install, null, steps, Token);

        Assert.Equal(("installed", "1.1", "b"), (result.Verdict, result.Version, result.Slot));
        Assert.NotEmpty(result.Ways!);
        Assert.Contains(steps.All, step => step is { Phase: "writing", Total: > 0 });
        Assert.Equal(steps.All.Where(step => step.Phase == "writing").Select(step => step.Done).Order(), steps.All.Where(step => step.Phase == "writing").Select(step => step.Done));
        var slot = await _scene.SlotBAsync();
        Assert.Equal((SlotState.Trial, "1.1", 3), (slot.State, slot.Version, slot.TriesLeft));
        Assert.Equal(new TrialRecord { Version = "1.1", From = "1.0", Slot = "b", InstalledBy = "boot-1" }, TrialRecord.TryRead(_scene.TrialPath));
    }

    [Fact]
    public async Task TheRepository_IsAskedThroughTheImagesProxy()
    {
        await _scene.PublishAsync();
        await using var proxy = new FaultyServer(_scene.Publisher.Repository);
        _scene.Write("usr/lib/appliance/update.json", $$"""{"url":"http://repository.invalid/","proxy":"{{proxy.Address}}"}""");

        var found = await _scene.Client.RunAsync(new WorkerRequest { Verb = WorkerVerb.Check }, null, null, Token);

        Assert.Equal("1.1", found.Version);
        Assert.All(proxy.Log, request => Assert.StartsWith("GET http://repository.invalid/", request.Head, StringComparison.Ordinal));
    }

    /// <summary>Nobody may think it over, and begin something else, while the worker goes on.</summary>
    [Fact]
    public async Task ARotationThatIsStoppedTooLate_IsWaitedFor_AndSaysHowItEnded()
    {
        using var stop = new CancellationTokenSource();
        _scene.OnCredentialStep = step => { if (step == "before the new file is in its place") stop.Cancel(); };

        var result = await _scene.Client.RunAsync(BringVpn("true"), null, null, stop.Token);

        Assert.True(stop.IsCancellationRequested);
        Assert.Equal(RotationStep.Grace, result.Credentials!.Single(credential => credential.Name == "vpn").Step);
        Assert.Equal("new", await File.ReadAllTextAsync(VpnKey, Token));
    }

    [Fact]
    public async Task ARotationThatIsStoppedInTime_IsStopped()
    {
        _scene.Write("var/lib/vpn.key", "old");
        using var stop = new CancellationTokenSource();
        _scene.OnCredentialStep = step => { if (step == "after Proving is written down") stop.Cancel(); };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _scene.Client.RunAsync(BringVpn("sleep 600"), null, null, stop.Token));

        Assert.Equal("old", await File.ReadAllTextAsync(VpnKey, Token));
    }

    /// <summary>A copy of k3s' folder that comes back takes with it what was changed since.</summary>
    [Fact]
    public async Task WhileOneOfK3sIsHalfDone_NoneOfTheOthersIsChanged()
    {
        _scene.Write("usr/lib/os-release", "IMAGE_ID=\"edge\"\nIMAGE_VERSION=\"1.0\"\nAPPLIANCE_BOARD=\"vm\"\nAPPLIANCE_WORKLOADS=\"k3s\"\n");
        var record = Path.Combine(_scene.CredentialFolder, "k3s-token", "rotation.json");
        Directory.CreateDirectory(Path.GetDirectoryName(record)!);
        await File.WriteAllTextAsync(record, """{ "format": 1, "step": "switching" }""", Token);
        var request = new WorkerRequest { Verb = WorkerVerb.RotateCredential, Credential = "registry", Content = Convert.ToBase64String("mirrors: {}"u8), Reason = "a test" };

        var refused = await Assert.ThrowsAsync<UserError>(() => _scene.Client.RunAsync(request, null, null, Token));

        Assert.Equal(("The rotation of k3s-token has not ended, and registry goes with it.", true), (refused.Message, refused.MayPass));
        Assert.False(File.Exists(Path.Join(_scene.Disk.Root, "/etc/rancher/k3s/registries.yaml")));
    }

    private string VpnKey => Path.Join(_scene.Disk.Root, "/var/lib/vpn.key");

    /// <summary>Brings a new key, which a program proves.</summary>
    private WorkerRequest BringVpn(string prove)
    {
        var program = Path.Join(_scene.Disk.Root, "prove");
        File.WriteAllText(program, $"#!/bin/sh\n{prove}\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var file = new JsonObject { ["name"] = "vpn", ["path"] = "/var/lib/vpn.key", ["prove"] = program };
        _scene.Write("usr/lib/appliance/credentials.json", new JsonObject { ["files"] = new JsonArray(file) }.ToJsonString());
        return new WorkerRequest { Verb = WorkerVerb.RotateCredential, Credential = "vpn", Content = Convert.ToBase64String("new"u8), Reason = "a test" };
    }

    [Fact]
    public async Task ABundleThatIsSent_IsInstalled()
    {
        await using var bundle = File.OpenRead(await _scene.ExportAsync());

        var result = await RunSentAsync(bundle);

        Assert.Equal(("installed", "1.1"), (result.Verdict, result.Version));
    }

    [Fact]
    public async Task ABundleThatEndsInTheMiddle_IsTold_AndNothingBootsOfIt()
    {
        var whole = await File.ReadAllBytesAsync(await _scene.ExportAsync(), Token);

        var error = await Assert.ThrowsAsync<UserError>(() => RunSentAsync(new MemoryStream(whole[..(whole.Length / 2)])));

        Assert.Contains("the bundle that was sent", error.Message, StringComparison.Ordinal);

        Assert.NotEqual(SlotState.Trial, (await _scene.SlotBAsync()).State);
        Assert.Equal(["edge_1.0.efi"], _scene.Disk.Names);
    }

    [Fact]
    public async Task AMistake_ComesBackWithItsHint()
    {
        var error = await Assert.ThrowsAsync<UserError>(() => _scene.Client.RunAsync(new WorkerRequest { Verb = WorkerVerb.Install }, null, null, Token));

        Assert.Equal("This device has no repository to ask.", error.Message);
        Assert.Contains("--source", error.Hint!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AVersionThatFailedHere_IsNotWritten_UnlessForced()
    {
        await _scene.PublishAsync();
        var request = _scene.Install with { Failed = ["0.9", "1.1"] };

        Assert.Equal(("failedBefore", "1.1"), await VerdictAsync(request));
        Assert.Equal(("failedBefore", "1.1"), await VerdictAsync(request with { Verb = WorkerVerb.Check, Plan = true }));
        await _scene.AssertUntouchedAsync();

        Assert.Equal(("installed", "1.1"), await VerdictAsync(request with { Force = true }));
    }

    [Fact]
    public async Task APreInstallHookThatFails_CancelsCleanly()
    {
        await _scene.PublishAsync();
        _scene.Hook("pre-install.d", "echo the backup did not work; exit 3");

        var error = await Assert.ThrowsAsync<UserError>(() => _scene.Client.RunAsync(_scene.Install, null, null, Token));

        Assert.Contains("10-test failed with exit code 3: the backup did not work", error.Message, StringComparison.Ordinal);
        await _scene.AssertUntouchedAsync();
    }

    [Fact]
    public async Task HangingUp_StopsTheWork_ItsHookIncluded()
    {
        await _scene.PublishAsync();
        var started = _scene.Publisher["started"];
        _scene.Hook("pre-install.d", $"echo $$ > {started}.new; mv {started}.new {started}; sleep 600");
        using var cancel = new CancellationTokenSource();

        var running = _scene.Client.RunAsync(_scene.Install, null, null, cancel.Token);
        await Eventually.IsTrueAsync(() => File.Exists(started), "the hook");
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(Soon, Token));
        await _scene.AllServed.WaitAsync(Soon, Token);
        Assert.False(Directory.Exists("/proc/" + (await File.ReadAllTextAsync(started, Token)).Trim()));
        await _scene.AssertUntouchedAsync();
    }

    [Fact]
    public async Task HangingUp_WhileABundleIsSent_StopsTheWork()
    {
        using var pipe = new Pipe();
        await pipe.WriteAsync((await File.ReadAllBytesAsync(await _scene.ExportAsync(), Token))[..1000]);
        using var cancel = new CancellationTokenSource();

        var running = RunSentAsync(pipe.Reader, cancel.Token);
        await Eventually.IsTrueAsync(() => pipe.IsEmpty, "the bundle's beginning");
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(Soon, Token));
        await _scene.AllServed.WaitAsync(Soon, Token);
        await _scene.AssertUntouchedAsync();
    }

    /// <summary>Who sends a bundle through ssh may stall for ever, and the worker may have seen enough.</summary>
    [Fact]
    public async Task ABundleThatIsRefused_WhileItsSenderStalls_EndsAtOnce()
    {
        using var pipe = new Pipe();
        await pipe.WriteAsync(Encoding.ASCII.GetBytes(new string('x', 64 << 10)));

        var running = RunSentAsync(pipe.Reader);

        await Assert.ThrowsAsync<UserError>(() => running.WaitAsync(Soon, Token));
    }

    public static TheoryData<string, string> Garbage => new()
    {
        { "not json\n", "the request is no request" },
        { "\n", "the request is no request" },
        { "null\n", "an empty request came" },
        { "{}\n", "the request is no request" },
        { "{\"verb\":\"Format\"}\n", "the request is no request" },
        { "{\"verb\":\"Slots\",\"shell\":\"/bin/sh\"}\n", "the request is no request" },
        { new string('x', 70_000), "a line of more than 64 KiB" },
        { "{\"verb\":\"Slots\"", "ended in the middle of a line" },
    };

    [Theory]
    [MemberData(nameof(Garbage))]
    public async Task WhatIsNoRequest_GetsOneClearError(string text, string expected)
    {
        await using var connection = await _scene.ConnectAsync();
        await connection.WriteAsync(Encoding.UTF8.GetBytes(text), Token);
        connection.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);

        Assert.Contains(expected, (string?)JsonNode.Parse(await WorkerLine.ReadAsync(connection, WorkerLine.LongestAnswer, Token).WaitAsync(Soon, Token))!["error"]!["message"], StringComparison.Ordinal);
        Assert.True(await EndsAsync(connection).WaitAsync(Soon, Token));
    }

    [Fact]
    public async Task AConnectionWithoutARequest_EndsWithoutAnAnswer()
    {
        await using var connection = await _scene.ConnectAsync();
        connection.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);

        Assert.Equal(0, await connection.ReadAsync(new byte[1], Token).AsTask().WaitAsync(Soon, Token));
    }

    [Fact]
    public async Task WithoutAWorker_TheFailureIsClear()
    {
        var error = await Assert.ThrowsAsync<WorkerException>(() => new WorkerClient("/nowhere/worker.sock").RunAsync(_scene.Install, null, null, Token));

        Assert.StartsWith("the worker cannot be reached: ", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Trap 4 of the field: the clock says 1970, and metadata that have long expired would be taken for fresh.</summary>
    [Fact]
    public async Task AClockInThePast_IsNotBelieved_AgainstTheImagesAge()
    {
        await _scene.PublishAsync();
        _scene.Publisher.Time.Now = DateTimeOffset.UnixEpoch.AddDays(1);
        _scene.Write("run/systemd/timesync/synchronized", "");
        Assert.Equal(("available", "1.1"), await VerdictAsync(_scene.Install with { Verb = WorkerVerb.Check }));

        _scene.SetTime("usr/lib/os-release", UpdateScene.Now.AddYears(5));

        await Assert.ThrowsAsync<UserError>(() => VerdictAsync(_scene.Install with { Verb = WorkerVerb.Check }));
    }

    /// <summary>Trap 4 again: what the clock said when it was right is kept, and the clock never goes behind it.</summary>
    [Fact]
    public async Task AClockThatWasRightOnce_IsRemembered()
    {
        await _scene.PublishAsync();
        _scene.Write("run/systemd/timesync/synchronized", "");
        await VerdictAsync(_scene.Install with { Verb = WorkerVerb.Check });

        Assert.Equal(UpdateScene.Now.UtcDateTime, File.GetLastWriteTimeUtc(Path.Combine(_scene.UpdateFolder, "latest-time")));
    }

    [Fact]
    public async Task AClockThatIsNotKnownToBeRight_IsNotRemembered()
    {
        await _scene.PublishAsync();

        Assert.Equal(("available", "1.1"), await VerdictAsync(_scene.Install with { Verb = WorkerVerb.Check }));

        Assert.False(File.Exists(Path.Combine(_scene.UpdateFolder, "latest-time")));
    }

    private async Task<(string?, string?)> VerdictAsync(WorkerRequest request)
    {
        var result = await _scene.Client.RunAsync(request, null, null, Token);
        return (result.Verdict, result.Version);
    }

    /// <summary>Nothing more comes. Where not all was read that was sent, the end is a reset.</summary>
    private static async Task<bool> EndsAsync(Stream connection)
    {
        try
        {
            return await connection.ReadAsync(new byte[1], Token) == 0;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private Task<WorkerResult> RunSentAsync(Stream bundle, CancellationToken? cancellationToken = null) =>
        _scene.Client.RunAsync(new WorkerRequest { Verb = WorkerVerb.Install, Source = "-" }, bundle, null, cancellationToken ?? Token);

    private sealed class Steps : IProgress<WorkerProgress>
    {
        public ConcurrentQueue<WorkerProgress> All { get; } = new();

        public void Report(WorkerProgress value) => All.Enqueue(value);
    }

    /// <summary>A pipe of the kernel, read as the daemon reads one that it was given: a read that waits cannot be broken off.</summary>
    private sealed class Pipe : IDisposable
    {
        private readonly AnonymousPipeServerStream _writer = new(PipeDirection.Out);

        public Pipe() => Reader = new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(_writer.ClientSafePipeHandle.DangerousGetHandle(), ownsHandle: false), FileAccess.Read, bufferSize: 0);

        public FileStream Reader { get; }

        /// <summary>True when all that was written has been read.</summary>
        public bool IsEmpty => Pending() == 0;

        public ValueTask WriteAsync(byte[] bytes) => _writer.WriteAsync(bytes, Token);

        public void Dispose() => _writer.Dispose();

        private unsafe int Pending()
        {
            int count;
            return ioctl((int)Reader.SafeFileHandle.DangerousGetHandle(), 0x541B, &count) == 0 ? count : throw new IOException("FIONREAD");
        }

        [System.Runtime.InteropServices.DllImport("libc")]
        private static extern unsafe int ioctl(int descriptor, ulong request, int* count);
    }
}
