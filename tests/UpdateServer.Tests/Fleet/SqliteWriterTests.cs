using Appliance.Core;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace UpdateServer.Tests.Fleet;

/// <summary>What is written at once is written together, and each is whole or not there.</summary>
public sealed class SqliteWriterTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("writer");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task ManyWritesAtOnce_AreAllThere()
    {
        await using var database = await OpenAsync();

        await Task.WhenAll(Enumerable.Range(0, 300).Select(i => AddAsync(database, $"edge-{i:000}")));

        Assert.Equal(Enumerable.Range(0, 300).Select(i => $"edge-{i:000}"), await NamesAsync(database));
    }

    [Fact]
    public async Task OfManyAtOnce_OneThatThrows_IsUndoneAlone()
    {
        await using var database = await OpenAsync();
        var (slow, go) = await HoldAsync(database);
        var before = Enumerable.Range(0, 10).Select(i => AddAsync(database, $"before-{i}")).ToList();
        var refused = database.WriteAsync(async context =>
        {
            context.Devices.Add(Named("refused"));
            await context.SaveChangesAsync(Token);
            throw new UserError("There is one already.");
        }, Token);
        var after = Enumerable.Range(0, 10).Select(i => AddAsync(database, $"after-{i}")).ToList();
        go.SetResult();

        Assert.Equal("There is one already.", (await Assert.ThrowsAsync<UserError>(() => refused)).Message);
        await Task.WhenAll([slow, .. before, .. after]);
        Assert.Equal([.. Enumerable.Range(0, 10).Select(i => $"after-{i}"), .. Enumerable.Range(0, 10).Select(i => $"before-{i}"), "slow"], await NamesAsync(database));
    }

    /// <summary>SQLite rolls a whole transaction back by itself when the disk is full, for one; here the work does so.</summary>
    [Fact]
    public async Task OfManyAtOnce_OneThatBreaksTheTransaction_SaysWhy_AndTheOthersAreThereOnce()
    {
        await using var database = await OpenAsync();
        var (slow, go) = await HoldAsync(database);
        var before = Enumerable.Range(0, 10).Select(i => AddAsync(database, $"before-{i}")).ToList();
        var breaks = database.WriteAsync(async context =>
        {
            context.Devices.Add(Named("broken"));
            await context.SaveChangesAsync(Token);
            await context.Database.ExecuteSqlRawAsync("ROLLBACK", Token);
            throw new UserError("The disk is full.");
        }, Token);
        var after = Enumerable.Range(0, 10).Select(i => AddAsync(database, $"after-{i}")).ToList();
        go.SetResult();

        Assert.Equal("The disk is full.", (await Assert.ThrowsAsync<UserError>(() => breaks)).Message);
        await Task.WhenAll([slow, .. before, .. after]);
        await AddAsync(database, "then");
        Assert.Equal([.. Enumerable.Range(0, 10).Select(i => $"after-{i}"), .. Enumerable.Range(0, 10).Select(i => $"before-{i}"), "slow", "then"], await NamesAsync(database));
    }

    [Fact]
    public async Task WhoGivesUpWhileAnotherWrites_EndsAtOnce_AndHasWrittenNothing()
    {
        await using var database = await OpenAsync();
        var (slow, go) = await HoldAsync(database);
        using var stop = new CancellationTokenSource();
        var waiting = database.WriteAsync(async context =>
        {
            context.Devices.Add(Named("waiting"));
            await context.SaveChangesAsync(CancellationToken.None);
        }, stop.Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Patience, Token));
        Assert.False(slow.IsCompleted);
        go.SetResult();
        await slow;
        await AddAsync(database, "then");
        Assert.Equal(["slow", "then"], await NamesAsync(database));
    }

    [Fact]
    public async Task WhereTheDatabaseCannotBeOpened_ItIsSaidThatNothingWasWritten()
    {
        await using var database = FleetDatabase.Sqlite(Path.Combine(_folder.FullName, "nowhere", "fleet.db"));

        Assert.Contains("cannot be written", (await Assert.ThrowsAsync<IOException>(() => AddAsync(database, "edge-1"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASignalThatGoesWrong_DoesNotHideThatItIsWritten()
    {
        await using var database = await OpenAsync();
        database.Signalled += _ => throw new InvalidOperationException("nobody listens");

        await database.WriteAsync(context =>
        {
            context.Devices.Add(Named("edge-1"));
            context.Signalled.Add(1);
            return Task.CompletedTask;
        }, Token);

        Assert.Equal(["edge-1"], await NamesAsync(database));
    }

    [Fact]
    public async Task AfterItIsClosed_NothingIsWritten()
    {
        var database = await OpenAsync();
        await database.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => AddAsync(database, "edge-1"));
    }

    private async Task<FleetDatabase> OpenAsync()
    {
        var database = FleetDatabase.Sqlite(Path.Combine(_folder.FullName, "fleet.db"));
        await database.MigrateAsync(Token);
        return database;
    }

    /// <summary>A write that has begun and goes on until it is let go, so that what is written meanwhile is written together. It may run again.</summary>
    private static async Task<(Task Slow, TaskCompletionSource Go)> HoldAsync(FleetDatabase database)
    {
        var (begun, go) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var slow = database.WriteAsync(async context =>
        {
            context.Devices.Add(Named("slow"));
            begun.TrySetResult();
            await go.Task;
        }, Token);
        await begun.Task.WaitAsync(Patience, Token);
        return (slow, go);
    }

    private static Task AddAsync(FleetDatabase database, string name) => database.WriteAsync(context =>
    {
        context.Devices.Add(Named(name));
        return Task.CompletedTask;
    }, Token);

    private static Device Named(string name) => new() { ControllerId = name, Name = name };

    private static async Task<IReadOnlyList<string>> NamesAsync(FleetDatabase database)
    {
        await using var context = database.Open();
        return await context.Devices.OrderBy(device => device.ControllerId).Select(device => device.ControllerId).ToListAsync(Token);
    }
}
