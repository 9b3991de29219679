using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Fleet;

/// <summary>
/// Writes into SQLite, which lets one do so at a time. What waits meanwhile is written together: one flush of the disk serves many,
/// and each is still whole or not there, for it has a savepoint of its own.
/// </summary>
internal sealed class SqliteWriter : IAsyncDisposable
{
    private const int MostTogether = 64;
    private const string Savepoint = "one";

    private readonly Channel<Request> _waiting = Channel.CreateUnbounded<Request>(new UnboundedChannelOptions { SingleReader = true });
    private readonly SqliteConnection _connection;
    private readonly DbContextOptions<SqliteFleet> _options;
    private readonly Action<IEnumerable<long>> _signal;
    private readonly Task _loop;

    /// <summary>For a database.</summary>
    /// <param name="connection">Connection string.</param>
    /// <param name="signal">Called with the devices that have something to do, once that is written.</param>
    public SqliteWriter(string connection, Action<IEnumerable<long>> signal)
    {
        (_connection, _signal) = (new SqliteConnection(connection), signal);
        _options = new DbContextOptionsBuilder<SqliteFleet>().UseSqlite(_connection).Options;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Does all or nothing of what is written.</summary>
    /// <exception cref="IOException">It is not known whether it was written.</exception>
    public Task<T> WriteAsync<T>(Func<FleetContext, Task<T>> work, CancellationToken cancellationToken)
    {
        var request = new Request<T>(work, cancellationToken);
        ObjectDisposedException.ThrowIf(!_waiting.Writer.TryWrite(request), this);
        return request.Result;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _loop;
        await _connection.DisposeAsync();
    }

    private async Task RunAsync()
    {
        var together = new List<Request>(MostTogether);
        while (await _waiting.Reader.WaitToReadAsync())
        {
            together.Clear();
            while (together.Count < MostTogether && _waiting.Reader.TryRead(out var request)) together.Add(request);
            try
            {
                await WriteAsync(together);
            }
            catch (Exception e)
            {
                // Said to whoever waits: nobody else sees it here.
                foreach (var request in together) request.Fail(e is SqliteException ? Unknown(e) : e);
            }
        }
    }

    private async Task WriteAsync(IReadOnlyList<Request> together)
    {
        if (_connection.State != System.Data.ConnectionState.Open)
        {
            await _connection.OpenAsync();
            SqliteSession.Prepare(_connection);
        }
        var written = new List<(Request Request, HashSet<long> Signalled)>(together.Count);
        await using (var transaction = (SqliteTransaction)await _connection.BeginTransactionAsync())
        {
            foreach (var request in together)
            {
                transaction.Save(Savepoint);
                await using var context = new SqliteFleet(_options);
                context.Database.AutoSavepointsEnabled = false;
                await context.Database.UseTransactionAsync(transaction);
                try
                {
                    await request.RunAsync(context);
                    written.Add((request, context.Signalled));
                }
                catch (Exception e)
                {
                    transaction.Rollback(Savepoint);
                    request.Fail(e);
                }
                transaction.Release(Savepoint);
            }
            await transaction.CommitAsync();
        }
        foreach (var (request, signalled) in written)
        {
            if (signalled.Count > 0) _signal(signalled);
            request.Complete();
        }
    }

    /// <summary>It may be written. Done again, it could be done twice.</summary>
    private static IOException Unknown(Exception e) => new($"The database did not say whether it has written: {e.Message}", e);

    private abstract class Request
    {
        public abstract Task RunAsync(FleetContext context);

        public abstract void Complete();

        public abstract void Fail(Exception reason);
    }

    private sealed class Request<T>(Func<FleetContext, Task<T>> work, CancellationToken cancellationToken) : Request
    {
        private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T _done = default!;

        public Task<T> Result => _result.Task;

        public override async Task RunAsync(FleetContext context)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _done = await work(context);
            await context.SaveChangesAsync(cancellationToken);
        }

        public override void Complete() => _result.TrySetResult(_done);

        public override void Fail(Exception reason)
        {
            if (reason is OperationCanceledException canceled) _result.TrySetCanceled(canceled.CancellationToken);
            else _result.TrySetException(reason);
        }
    }
}
