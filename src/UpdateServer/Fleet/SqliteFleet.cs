using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Fleet;

/// <summary>The fleet in a file; for one server.</summary>
internal sealed class SqliteFleet(DbContextOptions<SqliteFleet> options) : FleetContext(options);
