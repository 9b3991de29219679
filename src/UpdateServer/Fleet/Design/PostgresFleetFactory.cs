using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Appliance.UpdateServer.Fleet.Design;

/// <summary>For <c>dotnet ef migrations add</c> (CONTRIBUTING.md).</summary>
internal sealed class PostgresFleetFactory : IDesignTimeDbContextFactory<PostgresFleet>
{
    /// <inheritdoc/>
    public PostgresFleet CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<PostgresFleet>().UseNpgsql("Host=nowhere").Options);
}
