using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Appliance.UpdateServer.Fleet;

/// <summary>Makes every connection to SQLite compare as PostgreSQL does: LIKE tells a from A.</summary>
internal sealed class SqliteSession : DbConnectionInterceptor
{
    private const string Setting = "PRAGMA case_sensitive_like = ON";

    /// <inheritdoc/>
    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData)
    {
        using var command = connection.CreateCommand();
        command.CommandText = Setting;
        command.ExecuteNonQuery();
    }

    /// <inheritdoc/>
    public override async Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = Setting;
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
