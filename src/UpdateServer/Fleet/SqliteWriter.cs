using System.Data;
using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Serilog;

namespace Appliance.UpdateServer.Fleet;

/// <summary>
/// Writes into SQLite, which lets one do so at a time. What waits meanwhile is written together: one flush of the disk serves many,
/// and each is still whole or not there, for it has a savepoint of its own. When SQLite gives the whole transaction up, as it may
/// when the disk is full, those that it held run again one by one.
/// </summary>
internal sealed class SqliteWriter : IAsyncDisposable
{
    private const int MostTogether = 64, MostWaiting = 10_000;
    private const string Savepoint = "one";

    private readonly Channel<Request> _waiting = Channel.CreateBounded<Request>(new BoundedChannelOptions(MostWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    private readonly Action<IEnumerable<long>> _signal;
    private readonly Task _loop;
    private SqliteConnection _connection;
    private DbContextOptions<SqliteFleet> _options;

    /// <summary>For a database.</summary>
    /// <param name="connection">Connection string.</param>
    /// <param name="signal">Called with the devices that have something to do, once that is written.</param>
    public SqliteWriter(string connection, Action<IEnumerable<long>> signal)
    {
        (_connection, _signal) = (new SqliteConnection(connection), signal);
        _options = OptionsOf(_connection);
        _loop = Task.Run(LoopAsync);
    }

    /// <summary>Does all or nothing of what is written. Work that has not begun ends at once when it is cancelled; work that has begun is waited for.</summary>
    /// <exception cref="IOException">It was not written, or it is not known whether it was; the message says which.</exception>
    /// <exception cref="ObjectDisposedException">The database is closed.</exception>
    public async Task<T> WriteAsync<T>(Func<FleetContext, Task<T>> work, CancellationToken cancellationToken)
    {
        var request = new Request<T>(work, cancellationToken);
        try
        {
            await _waiting.Writer.WriteAsync(request, cancellationToken);
        }
        catch (ChannelClosedException e)
        {
            throw new ObjectDisposedException("The database is closed.", e);
        }
        await using var registration = cancellationToken.Register(request.Cancel);
        return await request.Result;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _loop;
        await _connection.DisposeAsync();
    }

    private async Task LoopAsync()
    {
        var together = new List<Request>(MostTogether);
        while (await _waiting.Reader.WaitToReadAsync())
        {
            together.Clear();
            while (together.Count < MostTogether && _waiting.Reader.TryRead(out var request)) together.Add(request);
            if (await WriteAsync(together) is null) continue;
            // Alone, each breaks nothing but its own.
            foreach (var request in together.Where(request => !request.IsOver))
                if (await WriteAsync([request]) is { } reason) request.Fail(Unwritten(reason));
        }
    }

    /// <summary>Writes some together, and says to each what became of it.</summary>
    /// <returns>What broke the transaction, so that nothing is written and those that are not over are to run again; null when it did not break.</returns>
    private async Task<Exception?> WriteAsync(IReadOnlyList<Request> together)
    {
        SqliteTransaction transaction;
        try
        {
            transaction = await BeginAsync();
        }
        catch (Exception e)
        {
            await ReconnectAsync();
            foreach (var request in together) request.Fail(Unwritten(e));
            return null;
        }
        var done = new List<(Request Request, HashSet<long> Signalled)>(together.Count);
        try
        {
            // A request begins when its turn comes: until then it can be cancelled.
            foreach (var request in together.Where(request => request.TryBegin()))
                if (await TryRunAsync(request, transaction) is { } signalled) done.Add((request, signalled));
        }
        catch (Exception e)
        {
            await ReconnectAsync();
            return e;
        }
        try
        {
            await transaction.CommitAsync();
        }
        catch (Exception e)
        {
            await ReconnectAsync();
            foreach (var (request, _) in done) request.Fail(Unknown(e));
            return null;
        }
        await transaction.DisposeAsync();
        foreach (var (request, signalled) in done)
        {
            Signal(signalled);
            request.Complete();
        }
        return null;
    }

    private async Task<SqliteTransaction> BeginAsync()
    {
        if (_connection.State != ConnectionState.Open)
        {
            await _connection.OpenAsync();
            SqliteSession.Prepare(_connection);
        }
        return (SqliteTransaction)await _connection.BeginTransactionAsync();
    }

    /// <summary>Runs one within the transaction. What it throws goes to its caller, and undoes it alone.</summary>
    /// <returns>The devices that it has something for; null when it failed.</returns>
    /// <exception cref="Exception">The transaction is broken.</exception>
    private async Task<HashSet<long>?> TryRunAsync(Request request, SqliteTransaction transaction)
    {
        transaction.Save(Savepoint);
        await using var context = new SqliteFleet(_options);
        try
        {
            context.Database.AutoSavepointsEnabled = false;
            await context.Database.UseTransactionAsync(transaction);
            await request.RunAsync(context);
        }
        catch (Exception e)
        {
            try
            {
                transaction.Rollback(Savepoint);
                transaction.Release(Savepoint);
            }
            finally
            {
                request.Fail(e); // its own reason, whatever becomes of the transaction
            }
            return null;
        }
        transaction.Release(Savepoint);
        return context.Signalled;
    }

    /// <summary>What comes next has a new connection; this one goes, and what is open in it is rolled back.</summary>
    private async Task ReconnectAsync()
    {
        var broken = _connection;
        _connection = new SqliteConnection(broken.ConnectionString);
        _options = OptionsOf(_connection);
        try
        {
            SqliteConnection.ClearPool(broken); // else it would come back from there
            await broken.DisposeAsync();
        }
        catch (Exception e) when (e is SqliteException or InvalidOperationException)
        {
            Log.Warning("A connection to the database did not close: {Reason}", e.Message);
        }
    }

    private void Signal(HashSet<long> devices)
    {
        if (devices.Count == 0) return;
        try
        {
            _signal(devices);
        }
        catch (Exception e)
        {
            // It is written all the same: the devices learn of it when they ask next.
            Log.Warning(e, "Devices were not woken: {Reason}", e.Message);
        }
    }

    private static DbContextOptions<SqliteFleet> OptionsOf(SqliteConnection connection) => new DbContextOptionsBuilder<SqliteFleet>().UseSqlite(connection).Options;

    private static IOException Unwritten(Exception e) => new($"The database cannot be written: {e.Message}", e);

    /// <summary>It may be written. Done again, it could be done twice.</summary>
    private static IOException Unknown(Exception e) => new($"The database did not say whether it has written: {e.Message}", e);

    private abstract class Request
    {
        public abstract bool IsOver { get; }

        /// <summary>False when its caller gave it up. It may begin again.</summary>
        public abstract bool TryBegin();

        public abstract Task RunAsync(FleetContext context);

        public abstract void Complete();

        public abstract void Fail(Exception reason);
    }

    private sealed class Request<T>(Func<FleetContext, Task<T>> work, CancellationToken cancellationToken) : Request
    {
        private const int Waiting = 0, Begun = 1, GivenUp = 2;
        private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _stage = Waiting;
        private T _done = default!;

        public Task<T> Result => _result.Task;

        public override bool IsOver => _result.Task.IsCompleted;

        /// <summary>Gives it up, unless it has begun.</summary>
        public void Cancel()
        {
            if (Interlocked.CompareExchange(ref _stage, GivenUp, Waiting) == Waiting) _result.TrySetCanceled(cancellationToken);
        }

        public override bool TryBegin() => Interlocked.CompareExchange(ref _stage, Begun, Waiting) != GivenUp;

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
