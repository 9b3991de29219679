using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.IO.Pipes;
using System.Net;
using System.Text.Json.Nodes;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Service;
using Microsoft.Win32.SafeHandles;
using Supervisor.Tests.Journal;
using Supervisor.Tests.Web;

namespace Supervisor.Tests.Support;

/// <summary>The archive for somebody far away, over HTTP and over the bus.</summary>
public sealed class SupportBundleTests : IAsyncLifetime
{
    private readonly JournalFolder _journal = new JournalFolder()
        .With(JournalFolder.FirstBoot, 6, "shop", "opened")
        .With(JournalFolder.ThisBoot, 3, "till", "no paper, password=hunter2")
        .Write();
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync()
    {
        _scene = await DaemonScene.PrepareAsync();
        _scene.JournalFolder = _journal.Path;
        _scene.Device.Write("etc/appliance/shop.conf", "TOKEN=tell-nobody\nPORT=1\n");
        _scene.Device.Write("usr/lib/appliance/update.json", """{"url":"https://me:mine@updates.example/"}""");
        _scene.Device.Write("usr/lib/appliance/binary", "\0\u0001");
        await _scene.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _scene.DisposeAsync();
        _journal.Dispose();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TheOwner_DownloadsIt_WithoutSecrets()
    {
        using (var refused = await _scene.Http.GetAsync("/api/v1/support", Token)) Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        using var browser = new Browser(_scene.Http.BaseAddress!);
        await browser.OwnAsync(_scene.Service<OwnerAccess>().SetupCode!);
        await browser.GoAsync("/logs");
        Assert.Contains("href=\"/api/v1/support\"", browser.Page, StringComparison.Ordinal);

        var parts = Parts(await browser.DownloadAsync("/api/v1/support"));

        Assert.All(parts.Keys, name => Assert.Matches("^edge-7-1\\.0-[0-9]{8}T[0-9]{6}Z/", name));
        parts = parts.ToDictionary(part => part.Key[(part.Key.IndexOf('/', StringComparison.Ordinal) + 1)..], part => part.Value);
        foreach (var name in new[] { "status", "health", "findings", "updates", "network" }) Assert.NotNull(JsonNode.Parse(parts[$"{name}.json"]));
        Assert.Equal("edge", (string?)JsonNode.Parse(parts["status.json"])!["id"]);
        Assert.Contains("opened", parts["journal/boot-before.log"], StringComparison.Ordinal);
        Assert.Contains("no paper, password=(removed)", parts["journal/this-boot.log"], StringComparison.Ordinal);
        Assert.Equal("TOKEN=(removed)\nPORT=1\n", parts["files/etc/appliance/shop.conf"]);
        Assert.Contains("https://(removed)@updates.example/", parts["files/usr/lib/appliance/update.json"], StringComparison.Ordinal);
        Assert.Contains("MemTotal", parts["files/proc/meminfo"], StringComparison.Ordinal);
        Assert.DoesNotContain("files/usr/lib/appliance/binary", parts.Keys);
        Assert.DoesNotContain(parts, part => part.Value.Contains("hunter2", StringComparison.Ordinal) || part.Value.Contains("mine", StringComparison.Ordinal) || part.Value.Contains("tell-nobody", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WhatCannotBeHad_IsNamed_AndTheRestIsThere()
    {
        foreach (var file in Directory.EnumerateFiles(_journal.Path)) File.Delete(file);

        var parts = Parts(await TakeAsync());

        var missing = parts.Single(part => part.Key.EndsWith("/missing.txt", StringComparison.Ordinal)).Value;
        Assert.Contains("the journal of boot -1", missing, StringComparison.Ordinal);
        Assert.Contains(parts.Keys, name => name.EndsWith("/status.json", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AReaderThatGoesAway_DoesNotKeepTheNextFromIt()
    {
        using (var pipe = new AnonymousPipeServerStream(PipeDirection.In))
        {
            var call = _scene.Client.CallAsync(SupervisorObject.Name, SupervisorObject.Path, SupervisorObject.Name, "SupportBundle", "h", new SafeFileHandle(pipe.ClientSafePipeHandle.DangerousGetHandle(), ownsHandle: false));
            await pipe.ReadExactlyAsync(new byte[10], Token);
            pipe.DisposeLocalCopyOfClientHandle();
            pipe.Dispose();
            var error = await Assert.ThrowsAsync<BusException>(() => call);
            Assert.Contains("could not be written whole", error.Text, StringComparison.Ordinal);
        }

        Assert.NotEmpty(Parts(await TakeAsync()));
    }

    private async Task<byte[]> TakeAsync()
    {
        var path = _scene.File("support.tar.gz");
        using (var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write))
            await _scene.Client.CallAsync(SupervisorObject.Name, SupervisorObject.Path, SupervisorObject.Name, "SupportBundle", "h", file);
        // A second opinion on the format.
        using var tar = Process.Start(new ProcessStartInfo("tar", ["--list", "--gzip", "--file", path]) { RedirectStandardOutput = true })!;
        await tar.StandardOutput.ReadToEndAsync(Token);
        await tar.WaitForExitAsync(Token);
        Assert.Equal(0, tar.ExitCode);
        return await File.ReadAllBytesAsync(path, Token);
    }

    private static Dictionary<string, string> Parts(byte[] archive)
    {
        var parts = new Dictionary<string, string>();
        using var reader = new TarReader(new GZipStream(new MemoryStream(archive), CompressionMode.Decompress));
        while (reader.GetNextEntry() is { } entry) parts.Add(entry.Name, entry.DataStream is { } data ? new StreamReader(data).ReadToEnd() : "");
        return parts;
    }
}
