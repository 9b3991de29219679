using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Inventory;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace UpdateServer.Tests.Inventory;

public sealed class DeviceRegisterTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Another server takes the device out between the look at it and the end of the transaction.</summary>
    [Fact]
    public async Task ADeviceThatIsTakenOutMeanwhile_IsGivenNothing()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Postgres);
        await scene.Device("edge-1").PollAsync();
        var release = await scene.UploadAsync("app", "1.1", [1]);

        await using var other = scene.Database.Open();
        await other.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            await using var leaving = await other.Database.BeginTransactionAsync(Token);
            await other.Devices.ExecuteUpdateAsync(set => set.SetProperty(device => device.State, DeviceState.Decommissioned), Token);
            var giving = scene.Admin.PostAsJsonAsync("/api/v1/devices/edge-1/actions", new { release }, Token);
            await Eventually.IsTrueAsync(async () => giving.IsCompleted || await IsWaitingAsync(scene), "giving to wait");
            await leaving.CommitAsync(Token);
            using var answer = await giving;
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.Contains("edge-1 has left the fleet", await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        });
        Assert.Empty(await other.Actions.ToListAsync(Token));
    }

    [Fact]
    public async Task WhatADeviceIsGivenWhileItIsTakenOut_IsCalledOff()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Postgres);
        await scene.Device("edge-1").PollAsync();
        var release = await scene.UploadAsync("app", "1.1", [1]);
        Task<HttpResponseMessage>? leaving = null;

        await scene.Database.WriteAsync(async context =>
        {
            var action = await scene.Service<DeviceRegister>().AssignAsync(context, "edge-1", new DeviceRegister.Assignment(release, false, false, null), "test", Token);
            leaving = scene.Admin.DeleteAsync("/api/v1/devices/edge-1", Token);
            await Eventually.IsTrueAsync(async () => leaving.IsCompleted || await IsWaitingAsync(scene), "taking out to wait");
            return action;
        }, Token);

        using var left = await leaving!;
        Assert.Equal(HttpStatusCode.OK, left.StatusCode);
        await using var after = scene.Database.Open();
        var given = await after.Actions.SingleAsync(Token);
        Assert.Equal((ActionState.Canceled, false), (given.State, given.IsActive));
    }

    [Fact]
    public async Task ADevicesPage_LooksItUpOnce()
    {
        const string id = "edge-whose-page-is-opened";
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        await scene.Device(id).DescribeAsync(new { board = "vm" });
        using var lookups = new Lookups(id);
        // EF remembers for a second that nobody listened.
        await Eventually.IsTrueAsync(async () => await CountAsync() > 0, "statements");

        Assert.Equal(1, await CountAsync());

        async Task<int> CountAsync()
        {
            lookups.Statements.Clear();
            Assert.Contains(id, await scene.PageAsync($"/devices/{id}"), StringComparison.Ordinal);
            return lookups.Statements.Count;
        }
    }

    private static async Task<bool> IsWaitingAsync(ServerScene scene)
    {
        await using var context = scene.Database.Open();
        return (await context.Database.SqlQuery<int>($"SELECT count(*)::int AS \"Value\" FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").ToListAsync(Token)).Single() > 0;
    }

    /// <summary>The statements of this process that ask for a text.</summary>
    private sealed class Lookups : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>, IDisposable
    {
        private readonly string _text;
        private readonly IDisposable _all;
        private IDisposable? _events;

        public Lookups(string text)
        {
            _text = text;
            _all = DiagnosticListener.AllListeners.Subscribe(this);
        }

        public ConcurrentQueue<string> Statements { get; } = new();

        public void OnNext(DiagnosticListener value)
        {
            if (value.Name == DbLoggerCategory.Name) _events = value.Subscribe(this);
        }

        public void OnNext(KeyValuePair<string, object?> value)
        {
            if (value.Value is CommandExecutedEventData { Command: var command } && command.Parameters.Cast<System.Data.Common.DbParameter>().Any(parameter => Equals(parameter.Value, _text))) Statements.Enqueue(command.CommandText);
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }

        public void Dispose()
        {
            _events?.Dispose();
            _all.Dispose();
        }
    }
}
