using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Fleet;

/// <summary>The fleet in PostgreSQL; for several servers at once.</summary>
internal sealed class PostgresFleet(DbContextOptions<PostgresFleet> options) : FleetContext(options);
