using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Appliance.UpdateServer.Fleet;

/// <summary>Makes every connection to SQLite compare as PostgreSQL does: LIKE tells a from A.</summary>
internal sealed class SqliteSession : DbConnectionInterceptor
{
    private const string Setting = "PRAGMA case_sensitive_like = ON";

    /// <summary>Makes one connection do so.</summary>
    public static void Prepare(DbConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = Setting;
        command.ExecuteNonQuery();
    }

    /// <inheritdoc/>
    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => Prepare(connection);

    /// <inheritdoc/>
    public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Prepare(connection); // SQLite's commands are never asynchronous
        return Task.CompletedTask;
    }
}
