using System.Security.Cryptography.X509Certificates;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.State;
using Appliance.Supervisor.Web;

namespace Appliance.Supervisor.Device;

/// <summary>The machine as a whole at one moment: facts, boot and verdict in one picture for the page and the bus.</summary>
internal sealed class DeviceView(DeviceFacts facts, HealthMonitor health, StateLosses losses, PageCertificate certificate, TimeProvider time)
{
    private volatile bool _blessed = facts.WasKept;

    /// <summary>The facts it is made of.</summary>
    public DeviceFacts Facts => facts;

    /// <summary>The page's certificate.</summary>
    public X509Certificate2 Certificate => certificate.Current;

    /// <summary>Where this boot stands.</summary>
    public BootState BootState => _blessed ? BootState.Good : !facts.HasEfi ? BootState.Unknown : facts.BootCount is null ? BootState.Good : BootState.Trial;

    /// <summary>The boot loader has been told to keep this boot's entry.</summary>
    public void MarkBlessed() => _blessed = true;

    /// <summary>Takes the picture.</summary>
    public DeviceStatus Take()
    {
        var (report, memory, data) = (health.Report, facts.Memory, facts.Data);
        return new DeviceStatus
        {
            Hostname = facts.Hostname,
            Id = facts.Image.Id,
            Version = facts.Image.Version,
            Board = facts.Image.Board,
            Slot = facts.Slot.Name,
            SlotLabel = facts.Slot.Label,
            RootVerified = facts.Slot.Verified,
            RootHash = facts.RootHash,
            BootState = Word(BootState),
            TriesLeft = BootState == BootState.Trial ? facts.BootCount?.Left : null,
            Health = Word(report.State),
            HealthReasons = report.Reasons,
            Checks = report.Checks.Select(DeviceCheck.Of).ToList(),
            LastRestore = losses.Last is { } restore ? DeviceRestore.Of(restore) : null,
            RollbackDiscards = losses.Next is { } snapshot ? DeviceLoss.Of(snapshot) : null,
            Workloads = facts.Image.WorkloadsEngine,
            System = facts.Image.System,
            Kernel = facts.Kernel,
            UptimeSeconds = (long)facts.Uptime.TotalSeconds,
            MemoryTotal = memory.Total,
            MemoryAvailable = memory.Available,
            DataTotal = data.Total,
            DataFree = data.Free,
            Load = facts.Load,
            Processors = Environment.ProcessorCount,
            Temperature = facts.Temperature,
            Addresses = DeviceFacts.Addresses(),
            Time = time.GetUtcNow(),
            ClockSet = facts.ClockSet,
            CertificateUntil = certificate.Current.NotAfter.ToUniversalTime(),
        };
    }

    /// <summary>The words of the surfaces: lower case.</summary>
    public static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
}
