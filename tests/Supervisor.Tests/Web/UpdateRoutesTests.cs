using System.Net;
using System.Text.Json.Nodes;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Updates;
using Supervisor.Tests.Worker;

namespace Supervisor.Tests.Web;

/// <summary>Updates over HTTP, with the real engine, and the real worker that writes into a disk image.</summary>
public sealed class UpdateRoutesTests : IAsyncLifetime
{
    private WorkerScene _worker = null!;
    private DaemonScene _scene = null!;
    private Browser _browser = null!;
    private HttpClient _program = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _worker = new WorkerScene();
        _scene = await DaemonScene.PrepareAsync();
        _scene.WorkerSocket = _worker.SocketPath;
        await _scene.StartWithSlotsAsync();
        _browser = new Browser(_scene.Http.BaseAddress!);
        await _browser.OwnAsync(_scene.Service<OwnerAccess>().SetupCode!);
        _program = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true }) { BaseAddress = _scene.Http.BaseAddress };
        var session = await SendAsync("/api/v1/session", ("secret", Browser.Password));
        _program.DefaultRequestHeaders.Authorization = new("Bearer", (string)session["token"]!);
    }

    public async ValueTask DisposeAsync()
    {
        _browser.Dispose();
        _program.Dispose();
        await _scene.DisposeAsync();
        await _worker.DisposeAsync();
    }

    [Fact]
    public async Task AProgram_Looks_Installs_AndReadsWhatCameOfIt()
    {
        await _worker.PublishAsync("Faster & smaller.\nNothing else.");

        Assert.Equal("check", (string?)(await SendAsync("/api/v1/updates/check", ("source", _worker.Publisher.Repository)))["kind"]);
        var checkedFor = await EndAsync();
        Assert.Equal(("available", "1.1"), ((string?)checkedFor["lastCheck"]!["verdict"], (string?)checkedFor["lastCheck"]!["version"]));
        Assert.Equal("Faster & smaller.\nNothing else.", (string?)checkedFor["lastCheck"]!["notes"]);
        Assert.Equal((long)checkedFor["job"]!["total"]!, (long)checkedFor["lastCheck"]!["downloadBytes"]!);
        await _browser.GoAsync("/updates/live");
        Assert.Contains("<summary>What is new in version 1.1</summary><pre>Faster &amp; smaller.&#xA;Nothing else.</pre>", _browser.Page, StringComparison.Ordinal);
        await SendAsync("/api/v1/updates/install", ("source", _worker.Publisher.Repository), ("reboot", "false"));
        var updates = await EndAsync();

        Assert.Equal(("installed", "1.1", "done"), ((string?)updates["state"], (string?)updates["pending"]!["version"], (string?)updates["job"]!["state"]));
        Assert.Equal("trial", (string?)updates["slots"]![1]!["state"]);
        Assert.StartsWith("by the owner from 127.0.0.1; ", (string?)updates["history"]![0]!["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABrowser_SeesTheSame_OnAPage()
    {
        await _worker.PublishAsync();
        await _browser.GoAsync("/updates");
        Assert.Contains("Nothing is under way", _browser.Page, StringComparison.Ordinal);
        Assert.Contains("Slot A, running", _browser.Page, StringComparison.Ordinal);

        await _browser.SubmitAsync("/api/v1/updates/install", ("source", _worker.Publisher.Repository), ("reboot", "false"));
        Assert.Equal("/updates", _browser.Path);
        await EndAsync();

        await _browser.GoAsync("/updates/live");
        Assert.Contains("<h2>Version 1.1 waits for the restart</h2>", _browser.Page, StringComparison.Ordinal);
        Assert.Contains("It restarts when you say so.", _browser.Page, StringComparison.Ordinal);
        Assert.Contains("on trial, 3 tries left", _browser.Page, StringComparison.Ordinal);

        await _browser.GoAsync("/updates");
        await _browser.PostAsync("/api/v1/updates/mark-bad", ("slot", "b"), ("formToken", FormToken()));
        Assert.Contains("Tried and not kept", _browser.Page, StringComparison.Ordinal);
        Assert.Contains("the owner from 127.0.0.1 marked it bad", _browser.Page, StringComparison.Ordinal);
        // One click on the finding.
        await Eventually.IsTrueAsync(async () => { await _browser.GoAsync("/"); return _browser.Page.Contains("Version 1.1 was tried and not kept", StringComparison.Ordinal); }, "the finding");
        await _browser.SubmitAsync("/api/v1/updates/clear-failed");
        Assert.Equal("/updates", _browser.Path);
        Assert.DoesNotContain("Tried and not kept", _browser.Page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABundleThatIsSent_IsWrittenIntoTheSlotAsItComes()
    {
        await using var bundle = File.OpenRead(await _worker.ExportAsync());

        using var answer = await _program.PostAsync("/api/v1/updates/bundle?reboot=false", new StreamContent(bundle), Token);

        var job = JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(("done", "version 1.1 is in slot b and waits for the restart"), ((string?)job["state"], (string?)job["message"]));
        Assert.Equal(SlotState.Trial, (await _worker.SlotBAsync()).State);
    }

    [Fact]
    public async Task ABundleThatWasTamperedWith_IsRefused_AndNothingIsBegun()
    {
        var bytes = await File.ReadAllBytesAsync(await _worker.ExportAsync(), Token);
        bytes[bytes.Length / 2] ^= 1;

        using var answer = await _program.PostAsync("/api/v1/updates/bundle", new ByteArrayContent(bytes), Token);

        Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode);
        Assert.Equal("failed", (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!["state"]);
        Assert.NotEqual(SlotState.Trial, (await _worker.SlotBAsync()).State);
    }

    [Fact]
    public async Task WhenTheSenderGoesAway_TheJobEnds_AndTheSlotIsNotTaken()
    {
        var whole = await File.ReadAllBytesAsync(await _worker.ExportAsync(), Token);
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var sending = _program.PostAsync("/api/v1/updates/bundle", new StreamContent(new StallingStream(whole[..(whole.Length / 2)])), gone.Token);
        await Eventually.IsTrueAsync(() => _scene.Service<UpdateEngine>().Job is { View: { State: JobState.Running } }, "the job");

        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);

        var updates = await EndAsync();
        Assert.Equal(("idle", "cancelled"), ((string?)updates["state"], (string?)updates["job"]!["state"]));
        Assert.NotEqual(SlotState.Trial, (await _worker.SlotBAsync()).State);
    }

    [Fact]
    public async Task WhatCannotBe_IsSaid_WithWhatToDo()
    {
        await _worker.PublishAsync();
        Assert.Equal((409, "No job is under way."), await RefusedAsync("/api/v1/updates/cancel"));
        Assert.Equal((400, "\"perhaps\" is neither true nor false."), await RefusedAsync("/api/v1/updates/check", ("reboot", "perhaps")));
        Assert.Equal((409, "Version 7 is not among those that failed."), await RefusedAsync("/api/v1/updates/clear-failed", ("version", "7")));
        _worker.Hook("pre-install.d", "sleep 600");
        await SendAsync("/api/v1/updates/install", ("source", _worker.Publisher.Repository));
        Assert.Equal((409, "Job 1 (install) is under way."), await RefusedAsync("/api/v1/updates/check"));

        await _browser.GoAsync("/updates");
        Assert.Contains("<h2>Installing", _browser.Page, StringComparison.Ordinal);
        await _browser.SubmitAsync("/api/v1/updates/cancel");
        await EndAsync();

        await _browser.GoAsync("/updates");
        Assert.Contains("Cancelled: stopped", _browser.Page, StringComparison.Ordinal);
        await _browser.PostAsync("/api/v1/updates/cancel", ("formToken", FormToken()));
        Assert.Equal(HttpStatusCode.Conflict, _browser.Status);
        Assert.Contains("<h2>No job is under way.</h2>", _browser.Page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OpenPages_AreToldOfChanges()
    {
        using var events = await _program.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead, Token);
        Assert.Equal("text/event-stream", events.Content.Headers.ContentType!.MediaType);
        using var reader = new StreamReader(await events.Content.ReadAsStreamAsync(Token));

        // One at once, for what changed before the page listened, and one for the change.
        Assert.Equal("data: changed", await reader.ReadLineAsync(Token));
        Assert.Equal("", await reader.ReadLineAsync(Token));
        _scene.Service<UpdateEngine>().NoteRefused("a test", "it is only a test");
        Assert.Equal("data: changed", await reader.ReadLineAsync(Token));
    }

    private string FormToken() => System.Text.RegularExpressions.Regex.Match(_browser.Page, "name=\"formToken\" value=\"([0-9a-f]+)\"").Groups[1].Value;

    private async Task<JsonNode> SendAsync(string path, params (string Name, string Value)[] fields)
    {
        using var answer = await PostAsync(path, fields);
        var text = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }

    private async Task<(int Status, string Title)> RefusedAsync(string path, params (string Name, string Value)[] fields)
    {
        using var answer = await PostAsync(path, fields);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
        var problem = JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!;
        Assert.Equal((int)answer.StatusCode, (int)problem["status"]!);
        return ((int)answer.StatusCode, (string)problem["title"]!);
    }

    private Task<HttpResponseMessage> PostAsync(string path, (string Name, string Value)[] fields) =>
        _program.PostAsync(path, Browser.Form(fields), Token);

    private async Task<JsonNode> ReadAsync() => JsonNode.Parse(await _program.GetStringAsync("/api/v1/updates", Token))!;

    /// <summary>Waits for the job at hand, and reads everything.</summary>
    private async Task<JsonNode> EndAsync()
    {
        JsonNode? updates = null;
        await Eventually.IsTrueAsync(async () => (string?)(updates = await ReadAsync())["job"]!["state"] != "running", "the end of the job");
        return updates!;
    }

    /// <summary>Gives what it has, and then nothing more and no end.</summary>
    private sealed class StallingStream(byte[] content) : MemoryStream(content)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Position == Length) await Task.Delay(Timeout.Infinite, cancellationToken);
            return await base.ReadAsync(buffer, cancellationToken);
        }
    }
}
