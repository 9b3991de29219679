using System.Net;
using System.Text.Json.Nodes;
using Appliance.Supervisor.Access;
using Supervisor.Tests.Journal;

namespace Supervisor.Tests.Web;

/// <summary>The journal over HTTP.</summary>
public sealed class LogRoutesTests : IAsyncLifetime
{
    private readonly JournalFolder _journal = new JournalFolder()
        .With(JournalFolder.FirstBoot, 6, "shop", "opened")
        .With(JournalFolder.ThisBoot, 3, "till", "no <b>paper</b>")
        .Write();
    private DaemonScene _scene = null!;
    private Browser _browser = null!;

    public async ValueTask InitializeAsync()
    {
        _scene = await DaemonScene.PrepareAsync();
        _scene.JournalFolder = _journal.Path;
        await _scene.StartAsync();
        _browser = new Browser(_scene.Http.BaseAddress!);
    }

    public async ValueTask DisposeAsync()
    {
        _browser.Dispose();
        await _scene.DisposeAsync();
        _journal.Dispose();
    }

    [Theory]
    [InlineData("/api/v1/logs")]
    [InlineData("/api/v1/logs/boots")]
    [InlineData("/api/v1/logs/text")]
    public async Task Logs_AreForTheOwner(string path)
    {
        using var answer = await _scene.Http.GetAsync(path, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        await _browser.GoAsync("/logs");
        Assert.Equal("/login", _browser.Path);
    }

    [Fact]
    public async Task TheOwner_ReadsChoosesAndDownloads()
    {
        await _browser.OwnAsync(_scene.Service<OwnerAccess>().SetupCode!);

        await _browser.GoAsync("/logs");
        Assert.Contains("no &lt;b&gt;paper&lt;/b&gt;", _browser.Page, StringComparison.Ordinal);
        Assert.DoesNotContain("opened", _browser.Page, StringComparison.Ordinal);
        await _browser.GoAsync("/logs?boot=all&text=open&unit=shop.service");
        Assert.Contains("<b>shop</b> opened", _browser.Page, StringComparison.Ordinal);
        Assert.Contains("data-from=\"/logs/live?boot=all&amp;text=open&amp;unit=shop.service\"", _browser.Page, StringComparison.Ordinal);
        await _browser.GoAsync("/logs/live?text=nothing+like+it");
        Assert.Equal("<p>There are no such lines.</p>", _browser.Page);
        await _browser.GoAsync("/api/v1/logs?priority=3");
        Assert.Equal("no <b>paper</b>", (string?)Assert.Single(JsonNode.Parse(_browser.Page)!.AsArray())!["message"]);
        await _browser.GoAsync("/api/v1/logs/text?boot=all");
        Assert.Equal(2, _browser.Page.TrimEnd().Split('\n').Length);
        await _browser.GoAsync("/logs?boot=--help");
        Assert.Equal(HttpStatusCode.Conflict, _browser.Status);
        Assert.Contains("&quot;--help&quot; is no boot.", _browser.Page, StringComparison.Ordinal);
    }
}
