using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Supervisor.Fleet;
using Appliance.UpdateServer.Fleet;
using UpdateServer.Tests;

namespace Supervisor.Tests.Fleet;

/// <summary>A rotation that the server assigned: done once, whatever clocks say and whenever the supervisor goes down; and what stopping it means.</summary>
public sealed class AssignedRotationTests : IAsyncLifetime
{
    private const string First = "ssh-host-key", Second = "wireguard";

    private ServerScene _server = null!;
    private FleetDevice _device = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TaskCompletionSource NewHold() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask InitializeAsync()
    {
        _server = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        _device = new FleetDevice(_server.Address) { Rotating = [First, Second] };
        await _device.StartAsync();
        await _device.Agent.JoinAsync(new JoinRequest { GatewayToken = ServerScene.GatewayToken });
        await ConnectedAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _device.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task AfterAStart_ItWaits_UntilTheCredentialsHaveBeenRead()
    {
        _device.Held = (First, NewHold(), false);
        await AssignAsync(First);
        await BeginsAsync(1);
        _device.ReadsCredentials = false;
        await _device.RestartAsync();
        _device.Held = null;
        await ConnectedAsync();
        Assert.Equal(AssignmentStep.Installing, _device.Step);

        await _device.Desk.RefreshAsync(Token);
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        Assert.Equal([First, First], _device.Rotated); // the first was undone
    }

    /// <summary>What the server has is taken where somebody else has signed it, whom the device's image trusts.</summary>
    [Fact]
    public async Task ACredentialThatIsSigned_IsFetchedFromTheServer_AndNoOther()
    {
        _device.Signed = [Second];
        await _device.Desk.RefreshAsync(Token);
        var list = await UploadAsync(Second, "7", "a signed list");
        Assert.Equal("rotation", (string?)list["kind"]);
        var action = await _server.AssignAsync(_device.Id, (long)list["id"]!);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(action))["state"] == "finished", "the end");
        Assert.Equal("a signed list", System.Text.Encoding.UTF8.GetString(Assert.Single(_device.Brought)));
        Assert.Equal([Second], _device.Rotated);

        var other = await _server.AssignAsync(_device.Id, (long)(await UploadAsync(First, "7", "a key of the server's choice"))["id"]!);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(other))["state"] == "failed", "the refusal");
        Assert.Contains("A server cannot bring a new ssh-host-key", (string?)(await ActionAsync(other))["detail"], StringComparison.Ordinal);
        Assert.Single(_device.Brought);
    }

    [Fact]
    public async Task ANewCredentialThatTheServerHasNoMore_IsAFailure_AndOneThatIsTooLarge()
    {
        _device.Signed = [Second];
        await _device.Desk.RefreshAsync(Token);
        var large = await _server.AssignAsync(_device.Id, (long)(await UploadAsync(Second, "8", new string('x', (32 << 10) + 1)))["id"]!);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(large))["state"] == "failed", "the failure");
        Assert.Contains("1 to 32768 bytes", (string?)(await ActionAsync(large))["detail"], StringComparison.Ordinal);
        var lost = await UploadAsync(Second, "9", "gone");
        foreach (var file in Directory.EnumerateFiles(Path.Combine(_server.DataFolder, "artifacts"))) File.Delete(file);
        var action = await _server.AssignAsync(_device.Id, (long)lost["id"]!);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(action))["state"] == "failed", "the failure");
        Assert.Contains("The server does not give the file", (string?)(await ActionAsync(action))["detail"], StringComparison.Ordinal);
        Assert.Empty(_device.Brought);
    }

    /// <summary>After a power cut what was interrupted is gone on with first, and no job begins: that is no failure of what the server wants.</summary>
    [Fact]
    public async Task WhileNoJobMayBegin_ItWaits()
    {
        _device.Engine.Jobs.Pause(new UserError("Something is gone on with.") { MayPass = true });
        var action = await AssignAsync(First);
        await _device.BecomesAsync(AssignmentStep.Accepted);
        for (var i = 0; i < 5; i++) _device.Engine.Jobs.Pause(new UserError("Something is gone on with.") { MayPass = true }); // each wakes it
        await _device.Agent.StopAsync(Token);
        await _device.RestartAsync();
        await ConnectedAsync();
        Assert.NotEqual("failed", (string?)(await ActionAsync(action))["state"]);

        await _device.BecomesAsync(AssignmentStep.Succeeded);
        Assert.Equal([First], _device.Rotated);
    }

    /// <summary>That it cannot be read says nothing of whether it was changed.</summary>
    [Fact]
    public async Task WhatCannotBeRead_IsNotTakenForChanged()
    {
        _device.Held = (First, NewHold(), false);
        await AssignAsync(First);
        await BeginsAsync(1);
        _device.Unreadable.Add(First);
        await _device.RestartAsync();
        await ConnectedAsync();
        await Eventually.IsTrueAsync(() => _device.Work.Wait is not null, "the wait");
        Assert.Equal(AssignmentStep.Installing, _device.Step);

        _device.Unreadable.Clear();
        _device.Held = null;
        await _device.Desk.RefreshAsync(Token);
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        Assert.Equal([First, First], _device.Rotated);
    }

    /// <summary>By a clock that was wrong when it was changed.</summary>
    [Theory]
    [InlineData(1970)]
    [InlineData(2100)]
    public async Task WhatWasChanged_BeforeTheSupervisorWentDown_IsNotChangedAgain(int year)
    {
        _device.RotationTime = new DateTimeOffset(year, 1, 1, 0, 0, 0, TimeSpan.Zero);
        var hold = NewHold();
        _device.Held = (First, hold, true);
        await AssignAsync(First);
        await BeginsAsync(1);
        await _device.RestartAsync();

        await _device.BecomesAsync(AssignmentStep.Succeeded);
        hold.SetResult();
        await _device.ReportsAsync();
        Assert.Equal([First], _device.Rotated);
    }

    /// <summary>It was changed long ago, by a clock that is ahead of the assignment's: that is no reason not to do it.</summary>
    [Fact]
    public async Task WhatWasChanged_BeforeItWasAssigned_IsChanged()
    {
        _device.RotationTime = DateTimeOffset.UtcNow.AddYears(50);
        _device.NoteRotated(First);
        await _device.Desk.RefreshAsync(Token);
        _device.Held = (First, NewHold(), false);
        await AssignAsync(First);
        await BeginsAsync(1);
        await _device.RestartAsync();
        await BeginsAsync(2);
        Assert.Equal(AssignmentStep.Installing, _device.Step);
    }

    [Fact]
    public async Task OfSeveral_EachIsChangedOnce_AndWhatIsMissing_AfterARestart()
    {
        _device.Rotating = [First, Second, "wifi"];
        await _device.Desk.RefreshAsync(Token);
        _device.Held = (Second, NewHold(), false);
        await AssignAsync("all");
        await Eventually.IsTrueAsync(() => _device.Rotated.Contains(Second), "the second");
        await _device.RestartAsync();
        _device.Held = null;

        await _device.BecomesAsync(AssignmentStep.Succeeded);
        await _device.ReportsAsync();
        Assert.Equal([First, Second, Second, "wifi"], _device.Rotated);
        Assert.EndsWith($"{First}, {Second}, wifi: changed", Assert.Single(_device.Work.Current!.Words), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatIsGoneOnWith_IsNotBegunAgain()
    {
        _device.Held = (First, NewHold(), false);
        await AssignAsync(First);
        await BeginsAsync(1);
        _device.UnderWay.Add(First);
        await _device.RestartAsync();
        await ConnectedAsync();
        await Eventually.IsTrueAsync(() => _device.Work.Wait is not null, "the wait");
        Assert.Equal(AssignmentStep.Installing, _device.Step);

        _device.UnderWay.Clear();
        _device.NoteRotated(First);
        await _device.Desk.RefreshAsync(Token);
        await _device.BecomesAsync(AssignmentStep.Succeeded);
        Assert.Equal([First], _device.Rotated);
    }

    [Fact]
    public async Task WhatIsCalledOff_BeforeTheSwitch_IsStopped()
    {
        _device.Held = (First, NewHold(), false);
        var action = await AssignAsync(First);
        await BeginsAsync(1);
        await CancelAsync(action);

        await _device.BecomesAsync(AssignmentStep.Canceled);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(action))["state"] == "canceled", "the end");
    }

    [Fact]
    public async Task WhatIsCalledOff_AfterTheSwitch_IsReportedAsChanged()
    {
        var hold = NewHold();
        _device.Held = (First, hold, true);
        var action = await AssignAsync(First);
        await BeginsAsync(1);
        var job = _device.Engine.Job!;
        await CancelAsync(action);
        await Eventually.IsTrueAsync(() => job.Cancelled.IsCancellationRequested, "the wish to stop it");
        hold.SetResult();

        await _device.BecomesAsync(AssignmentStep.Succeeded);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(action))["state"] == "finished", "the end");
        Assert.Contains((await ActionAsync(action))["messages"]!.AsArray(), message => ((string)message!).Contains("is changed already", StringComparison.Ordinal));
    }

    private async Task<JsonNode> UploadAsync(string credential, string version, string content)
    {
        using var answer = await _server.Admin.PutAsync($"/api/v1/releases/{credential}/{version}/files/list?part=rotation", new StringContent(content), Token);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Token));
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!;
    }

    private async Task<long> AssignAsync(string credential) => await _server.AssignAsync(_device.Id, (long)(await _server.PostAsync("/api/v1/rotations", new { credential }))["id"]!);

    private Task BeginsAsync(int rotations) => Eventually.IsTrueAsync(() => _device.Rotated.Count == rotations && _device.Step == AssignmentStep.Installing, $"rotation {rotations}");

    private Task ConnectedAsync() => Eventually.IsTrueAsync(() => _device.Agent.Status.State == FleetState.Connected, "the connection");

    private async Task<JsonNode> ActionAsync(long action) => (await _server.GetAsync($"/api/v1/devices/{_device.Id}/actions")).AsArray().Single(row => (long)row!["id"]! == action)!;

    private async Task CancelAsync(long action)
    {
        using var answer = await _server.Admin.DeleteAsync($"/api/v1/devices/{_device.Id}/actions/{action}", Token);
        Assert.True(answer.IsSuccessStatusCode);
    }
}
