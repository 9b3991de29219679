using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Fleet;

/// <summary>The fleet in PostgreSQL; for several servers at once.</summary>
internal sealed class PostgresFleet(DbContextOptions<PostgresFleet> options) : FleetContext(options)
{
    /// <summary>Also for those who only refer to the row, as every new action does.</summary>
    public override Task LockDeviceAsync(long device, CancellationToken cancellationToken) =>
        Database.ExecuteSqlAsync($"SELECT 1 FROM \"Devices\" WHERE \"Id\" = {device} FOR UPDATE", cancellationToken);
}
