using Appliance.Core;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Appliance.UpdateServer.Fleet;

/// <summary>Opens the database, and is the one way to write into it.</summary>
internal sealed class FleetDatabase : IAsyncDisposable
{
    /// <summary>PostgreSQL's channel on which servers tell each other of devices that have something to do.</summary>
    public const string Channel = "appliance_devices";

    /// <summary>A notification of PostgreSQL has at most 8000 bytes.</summary>
    private const int IdsPerNotification = 400;

    private static readonly TimeSpan LongestStatement = TimeSpan.FromSeconds(30);
    private readonly Func<FleetContext> _open;
    private readonly SqliteWriter? _writer;
    private readonly NpgsqlDataSource? _source;

    private FleetDatabase(Func<FleetContext> open, string? file, NpgsqlDataSource? source)
    {
        (_open, _source) = (open, source);
        if (file is not null) _writer = new SqliteWriter(file, devices => Signalled?.Invoke(devices));
    }

    /// <summary>Raised with the devices that have something to do, once that is written; in PostgreSQL all servers are told by a notification instead.</summary>
    public event Action<IEnumerable<long>>? Signalled;

    /// <summary>The connections to a database that other servers may use, too; null for a file.</summary>
    public NpgsqlDataSource? Shared => _source;

    /// <summary>A file. It is made when it is not there.</summary>
    public static FleetDatabase Sqlite(string path)
    {
        var text = new SqliteConnectionStringBuilder { DataSource = path, ForeignKeys = true, DefaultTimeout = (int)LongestStatement.TotalSeconds }.ToString();
        var contexts = new PooledDbContextFactory<SqliteFleet>(new DbContextOptionsBuilder<SqliteFleet>().UseSqlite(text).AddInterceptors(new SqliteSession()).Options);
        return new FleetDatabase(contexts.CreateDbContext, text, null);
    }

    /// <summary>PostgreSQL, by a connection string of Npgsql.</summary>
    /// <exception cref="UserError">The text makes no sense.</exception>
    public static FleetDatabase Postgres(string connection)
    {
        NpgsqlDataSource source;
        try
        {
            source = new NpgsqlDataSourceBuilder(connection).Build();
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            throw new UserError($"--database makes no sense: {e.Message}", "Example: Host=db;Username=appliance;Password=…;Database=appliance", e);
        }
        var contexts = new PooledDbContextFactory<PostgresFleet>(new DbContextOptionsBuilder<PostgresFleet>().UseNpgsql(source, npgsql => npgsql.EnableRetryOnFailure().CommandTimeout((int)LongestStatement.TotalSeconds)).Options);
        return new FleetDatabase(contexts.CreateDbContext, null, source);
    }

    /// <summary>Brings the tables to what this program needs; servers that start together wait for each other.</summary>
    /// <exception cref="UserError">The database cannot be used.</exception>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var context = Open();
            await context.Database.MigrateAsync(cancellationToken);
            if (_source is null) await context.Database.ExecuteSqlRawAsync("PRAGMA journal_mode=WAL", cancellationToken);
        }
        catch (Exception e) when (e is SqliteException or NpgsqlException)
        {
            throw new UserError($"The database cannot be used: {e.Message}", "Is it there, and may this user write into it? See --database.", e);
        }
    }

    /// <summary>Writes a copy of it as it is at one moment, also while it is used. The file is whole and on the disk when it has its name.</summary>
    /// <exception cref="UserError">It is none that is a file, or the copy cannot be written.</exception>
    public async Task BackupAsync(string path, CancellationToken cancellationToken)
    {
        if (_source is not null) throw new UserError("A PostgreSQL database is backed up by its own tools.", "pg_dump --format=custom --file=fleet.dump DATABASE, and pg_restore to restore it.");
        if (!Directory.Exists(Path.GetDirectoryName(path))) throw new UserError($"There is no folder {Path.GetDirectoryName(path)}.", "Make it, or name another one.");
        var partial = path + ".partial";
        try
        {
            File.Delete(partial);
            await using (var context = Open()) await context.Database.ExecuteSqlAsync($"VACUUM INTO {partial}", cancellationToken);
            File.SetUnixFileMode(partial, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            using (var file = File.OpenHandle(partial, FileMode.Open, FileAccess.ReadWrite)) RandomAccess.FlushToDisk(file);
            File.Move(partial, path);
            DurableFile.SyncFolder(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SqliteException)
        {
            File.Delete(partial);
            throw new UserError($"The backup {path} cannot be written: {e.Message}", "Is there a server's data folder (--data), and room for the file?", e);
        }
    }

    /// <summary>Opens it for reading.</summary>
    public FleetContext Open() => _open();

    /// <summary>Does all or nothing of what is written. The work may run again when another server was in its way, so it must not do anything else. One does not begin within another.</summary>
    public async Task<T> WriteAsync<T>(Func<FleetContext, Task<T>> work, CancellationToken cancellationToken)
    {
        if (_writer is not null) return await _writer.WriteAsync(work, cancellationToken);
        await using var first = Open();
        return await first.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            await using var context = Open();
            context.Signalled.Clear(); // of whoever had this context before
            await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            var result = await work(context);
            await context.SaveChangesAsync(cancellationToken);
            foreach (var ids in context.Signalled.Chunk(IdsPerNotification)) await context.Database.ExecuteSqlAsync($"SELECT pg_notify({Channel}, {string.Join(',', ids)})", cancellationToken);
            await CommitAsync(transaction, cancellationToken);
            return result;
        });
    }

    /// <inheritdoc cref="WriteAsync{T}"/>
    public Task WriteAsync(Func<FleetContext, Task> work, CancellationToken cancellationToken) => WriteAsync(async context =>
    {
        await work(context);
        return true;
    }, cancellationToken);

    private static async Task CommitAsync(IDbContextTransaction transaction, CancellationToken cancellationToken)
    {
        try
        {
            await transaction.CommitAsync(cancellationToken);
        }
        catch (NpgsqlException e)
        {
            // It may be written. Done again, it could be done twice.
            throw new IOException($"The database did not say whether it has written: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_writer is not null) await _writer.DisposeAsync();
        if (_source is not null) await _source.DisposeAsync();
    }
}
