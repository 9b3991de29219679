using Appliance.Core;
using Appliance.Core.Health;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>A file system has room for whoever is not root.</summary>
internal sealed class DiskProbe(HealthCheck check) : DeclaredProbe(check)
{
    private readonly DiskRequirement _required = check.Disk!;

    public override Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        if (!Path.Exists(_required.Path)) return Task.FromResult(ProbeResult.Fail($"{_required.Path} does not exist"));
        var drive = new DriveInfo(_required.Path);
        var (free, total) = (drive.AvailableFreeSpace, drive.TotalSize);
        var least = _required.FreeBytes ?? (long)((Int128)total * _required.FreePercent!.Value / 100);
        var message = $"{ByteSize.Format(free)} of {ByteSize.Format(total)} free at {_required.Path}";
        return Task.FromResult(free >= least ? ProbeResult.Pass(message) : ProbeResult.Fail($"{message}, {(_required.FreePercent is { } percent ? $"{percent}%" : ByteSize.Format(least))} needed"));
    }
}
