using System.Net.Sockets;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Publish;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Hooks;
using Appliance.Supervisor.Secrets;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;
using Appliance.Supervisor.Workloads;
using Appliance.Supervisor.Workloads.Kubernetes;
using Supervisor.Tests.Boot;
using Supervisor.Tests.Credentials;
using Supervisor.Tests.Workloads;
using UpdateClient.Tests.Install;
using UpdateClient.Tests.Workloads;

namespace Supervisor.Tests.Worker;

/// <summary>
/// The real worker behind a real unix socket: it reads a signed repository, and writes into the slots of a disk image with the
/// real partition table. 1.0 runs in slot a; b is empty.
/// </summary>
internal sealed class WorkerScene : IAsyncDisposable
{
    private const string RunningEntry = "edge_1.0.efi";
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("worker");
    private readonly List<Task> _served = [];
    private readonly Task _accepting;

    /// <param name="other">The version in slot b, which was kept once; null for none.</param>
    public WorkerScene(string? other = null)
    {
        Disk = other is null ? new SlotDisk() : new SlotDisk(labelB: $"edge_{other}").With($"edge_{other}.efi");
        Disk.With(RunningEntry);
        Write("usr/lib/os-release", "IMAGE_ID=\"edge\"\nIMAGE_VERSION=\"1.0\"\nAPPLIANCE_BOARD=\"vm\"\n");
        SetTime("usr/lib/os-release", UpdateScene.Now.AddDays(-30));
        Write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        Write("proc/sys/kernel/random/boot_id", "boot-1\n");
        Write("usr/lib/appliance/trust/root.json", "");
        File.WriteAllBytes(Path.Combine(Disk.Root, "usr/lib/appliance/trust/root.json"), Publisher.Root);
        _listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        _listener.Listen();
        _accepting = AcceptAsync();
    }

    public SlotDisk Disk { get; }
    public UpdateScene Publisher { get; } = new();
    public string? BusAddress { get; set; }
    public WorkerClient Client => new(SocketPath);
    public ISecretSeal Seal { get; init; } = new SystemdCreds();
    public string SocketPath => Path.Combine(_folder.FullName, "worker.sock");
    public string UpdateFolder => Path.Combine(_folder.FullName, "update");
    public string WorkloadFolder => Path.Combine(_folder.FullName, "workloads");
    public ModelEngine Engine { get; } = new();
    public ClusterNode? Node { get; init; }
    public ReleaseTiming Timing { get; set; } = new() { Timeout = TimeSpan.FromSeconds(20), Dwell = TimeSpan.Zero, Grace = TimeSpan.Zero, Interval = TimeSpan.FromMilliseconds(1) };
    public ModelUnits Units { get; } = new();
    public string CredentialFolder => Path.Combine(_folder.FullName, "credentials");
    public Action<string>? OnCredentialStep { get; set; }
    public string TrialPath => Path.Combine(UpdateFolder, "trial.json");
    private string Hooks => Path.Combine(_folder.FullName, "hooks");

    /// <summary>Everything that was served has ended.</summary>
    public Task AllServed => Task.WhenAll(_served);

    /// <summary>Puts 1.1 into the repository.</summary>
    public Task PublishAsync(string? notes = null) => Publisher.PublishVersionAsync("1.1", rootSize: 3 << 20, options: given => given with { Notes = notes });

    /// <summary>1.1 as one file with its signatures.</summary>
    public async Task<string> ExportAsync()
    {
        await PublishAsync();
        await new OfflineExport(Publisher.Repository, "stable", null, Publisher.Time).WriteAsync(Publisher["offline.bundle"], null, CancellationToken.None);
        return Publisher["offline.bundle"];
    }

    public WorkerRequest Install => new() { Verb = WorkerVerb.Install, Source = Publisher.Repository };

    /// <summary>The image brings this version of the workload shop.</summary>
    public async Task IncludeAsync(string version, int layerSize = 64 << 10)
    {
        await SomeWorkload.BuildAsync(Publisher, version, layerSize: layerSize);
        var payload = Path.Join(Disk.Root, WorkloadRelease.ImageFolder, "shop", WorkloadRelease.PayloadName);
        Directory.CreateDirectory(Path.GetDirectoryName(payload)!);
        File.Copy(Publisher.Plain($"shop-{version}", WorkloadRelease.PayloadName), payload, overwrite: true);
    }

    public void Write(string path, string text)
    {
        var full = Path.Combine(Disk.Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }

    public void SetTime(string path, DateTimeOffset time) => File.SetLastWriteTimeUtc(Path.Combine(Disk.Root, path), time.UtcDateTime);

    public void Hook(string point, string script)
    {
        var path = Path.Combine(Directory.CreateDirectory(Path.Combine(Hooks, point)).FullName, "10-test");
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32("755", 8));
    }

    public async Task<SlotStatus> SlotBAsync() => (await Client.RunAsync(new WorkerRequest { Verb = WorkerVerb.Slots }, null, null, TestContext.Current.CancellationToken)).Slots!.Single(slot => slot.Name == "b");

    /// <summary>Nothing was begun: the slot is as it was, and nobody takes the next boot for a trial.</summary>
    public async Task AssertUntouchedAsync()
    {
        Assert.Null(TrialRecord.TryRead(TrialPath));
        Assert.Equal([RunningEntry], Disk.Names);
        Assert.Equal((SlotState.Empty, null), ((await SlotBAsync()).State, (await SlotBAsync()).Version));
    }

    /// <summary>A connection by hand.</summary>
    public async Task<NetworkStream> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath));
        return new NetworkStream(socket, ownsSocket: true);
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        await AllServed.WaitAsync(TimeSpan.FromSeconds(30));
        _folder.Delete(recursive: true);
        Publisher.Dispose();
        Disk.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptAsync();
                lock (_served) _served.Add(ServeAsync(socket));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The scene is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        var options = new WorkerOptions { Root = Disk.Root, UpdateFolder = UpdateFolder, WorkloadFolder = WorkloadFolder, CredentialFolder = CredentialFolder, Units = Units, Seal = Seal, OnCredentialStep = OnCredentialStep, WorkloadTiming = Timing, OnWorkloadStep = step => Engine.OnStep?.Invoke(step), BusAddress = BusAddress, Hooks = new HookRunner([Hooks], TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1)) };
        await using var connection = new NetworkStream(socket, ownsSocket: true);
        await new WorkerServer(options, _ => Task.FromResult<IBootControl>(Disk.Open()), () => EngineAccess.Of(Engine, Node), Publisher.Time).ServeAsync(connection, CancellationToken.None);
    }
}
