using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Appliance.UpdateServer.Fleet.Design;

/// <summary>For <c>dotnet ef migrations add</c> (CONTRIBUTING.md).</summary>
internal sealed class SqliteFleetFactory : IDesignTimeDbContextFactory<SqliteFleet>
{
    /// <inheritdoc/>
    public SqliteFleet CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<SqliteFleet>().UseSqlite("Data Source=:memory:").Options);
}
