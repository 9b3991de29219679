using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;
using Appliance.Core.Tuf.Publishing;
using Appliance.UpdateServer.Releases;
using Core.Tests.Tuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using UpdateClient.Tests.Install;

namespace UpdateServer.Tests.Releases;

/// <summary>Publishing through the server.</summary>
public sealed class PublishingTests : IAsyncLifetime
{
    private PublisherScene _publisher = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private UpdateScene Bundles => _publisher.Bundles;

    private ServerScene Server => _publisher.Server;

    public async ValueTask InitializeAsync() => _publisher = await PublisherScene.CreateAsync();

    public ValueTask DisposeAsync() => _publisher.DisposeAsync();

    [Fact]
    public async Task WhatIsSignedElsewhere_IsPublished_AndPatchesComeFromWhatTheServerHas()
    {
        var first = await _publisher.PublishAsync("1.0", "work");
        Assert.True(first.ExitCode == 0, first.Said);
        // Another machine, which has nothing but its keys.
        var second = await _publisher.PublishAsync("1.1", "elsewhere");
        Assert.True(second.ExitCode == 0, second.Said);
        var same = await _publisher.PublishAsync("1.1", "work", "--rollout", "50%");
        Assert.True(same.ExitCode == 0, same.Said);

        var verified = await PublisherScene.RunAsync("verify", Bundles.Repository, "--root", Path.Combine(_publisher.Offline, "root.json"));
        Assert.True(verified.ExitCode == 0, verified.Said);
        var releases = (await Server.GetAsync("/api/v1/releases")).AsArray();
        Assert.Equal(["1.1", "1.0"], releases.Select(release => (string?)release!["version"]));
        Assert.Equal(["1.0"], releases[0]!["deltas"]!.AsArray().Select(delta => (string?)delta!["from"]));
        using var writer = _publisher.Writer(new MemorySigners());
        Assert.Contains(writer.TargetsOf("stable"), target => target.Path.Contains("1.1", StringComparison.Ordinal) && target.Custom!.Value.GetProperty("rollout").GetInt32() == 50);
        Assert.Contains((await Server.GetAsync("/api/v1/audit")).AsArray(), entry => (string?)entry!["what"] == "repository.publish" && (string?)entry["who"] == "anna");
    }

    [Fact]
    public async Task WhatThePublishersKeysHaveNotSigned_IsRefused_AndNothingChanges()
    {
        Assert.Equal(0, (await _publisher.PublishAsync("1.0", "work")).ExitCode);
        var before = await File.ReadAllBytesAsync(Path.Combine(Bundles.Repository, "metadata/timestamp.json"), Token);
        byte[] forged, older, incomplete;
        using (var writer = _publisher.Writer(KeyFolder.Open(_publisher.Offline, () => PublisherScene.Passphrase)))
        {
            older = await File.ReadAllBytesAsync(Path.Combine(Bundles.Repository, "metadata/1.stable.json"), Token);
            writer.SetTarget("stable", TargetFile.Of("stable/edge_9.json", "nothing of the kind"u8));
            incomplete = writer.SignChanges(new Dictionary<string, long>())["stable"];
            var envelope = JsonNode.Parse(incomplete)!;
            envelope["signed"]!["version"] = 7;
            forged = System.Text.Encoding.UTF8.GetBytes(envelope.ToJsonString());
        }

        await RefusesAsync("valid signatures needed for role stable", ("stable", forged));
        await RefusesAsync("version 1 is published already", ("stable", older));
        await RefusesAsync("cannot be read", ("stable", incomplete)); // its release was not sent
        await RefusesAsync("has no such channel", ("beta", incomplete));
        await RefusesAsync("the server signs it itself", ("snapshot", incomplete));
        await RefusesAsync("is damaged", ("stable", "nonsense"u8.ToArray()));
        Assert.Equal(before, await File.ReadAllBytesAsync(Path.Combine(Bundles.Repository, "metadata/timestamp.json"), Token));
        Assert.False(File.Exists(Path.Combine(Bundles.Repository, "metadata/2.stable.json")));
    }

    /// <summary>Else a server that was taken over could have what was withdrawn signed anew.</summary>
    [Fact]
    public async Task AServerThatGoesBack_IsNotPublishedTo()
    {
        var metadata = Path.Combine(Bundles.Repository, "metadata");
        Assert.Equal(0, (await _publisher.PublishAsync("1.0", "work")).ExitCode);
        var before = await File.ReadAllBytesAsync(Path.Combine(metadata, "timestamp.json"), Token);
        Assert.Equal(0, (await _publisher.PublishAsync("1.1", "work")).ExitCode);
        await File.WriteAllBytesAsync(Path.Combine(metadata, "timestamp.json"), before, Token);

        var refused = await _publisher.PublishAsync("1.2", "work");

        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("metadata/timestamp.json", refused.Said, StringComparison.Ordinal);
        Assert.Contains("would go back to version 1", refused.Said, StringComparison.Ordinal);
    }

    /// <summary>A server that was taken over asks for a key of the machine that publishes.</summary>
    [Fact]
    public async Task WhateverAServerAsksFor_ItGetsNothingButThePublication()
    {
        var (secret, sent) = (Bundles["secret.pem"], new ConcurrentDictionary<string, string>());
        await File.WriteAllTextAsync(secret, "a secret", Token);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var hostile = builder.Build();
        hostile.MapGet("/api/v1/repository", () => new { versions = new Dictionary<string, long>() });
        hostile.MapPost("/api/v1/repository/missing", async (HttpRequest request) => new { files = (await JsonNode.ParseAsync(request.Body))!["files"]!.AsObject().Select(file => file.Key).Append(secret).Append("../../secret.pem").ToList() });
        hostile.MapPut("/api/v1/repository/files/{**path}", async (HttpRequest request, string path) => sent[path] = await new StreamReader(request.Body).ReadToEndAsync());
        hostile.MapPost("/api/v1/repository/metadata", () => new { });
        await hostile.StartAsync(Token);

        var published = await PublisherScene.RunAsync(["publish", await Bundles.BuildAsync("1.0", 1 << 20), "--repo", Bundles["work"], "--keys", _publisher.Offline, "--level", "1", "--server", hostile.Urls.First(), "--key-file", Bundles["api.key"]]);

        Assert.True(published.ExitCode == 0, published.Said);
        Assert.All(sent.Keys, path => Assert.Matches("^(objects|targets)/", path));
        Assert.DoesNotContain("a secret", sent.Values);
        Assert.InRange(sent.Count, 3, 20);
    }

    [Fact]
    public async Task AFile_IsWhatItsNameSays_OrNotTaken()
    {
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("content"u8));
        Assert.Equal(HttpStatusCode.OK, await SendAsync($"objects/{hash[..2]}/{hash}", "content"u8.ToArray()));
        Assert.Equal("content", await File.ReadAllTextAsync(Path.Combine(Bundles.Repository, $"objects/{hash[..2]}/{hash}"), Token));
        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync($"objects/{hash[..2]}/{hash}", "other content"u8.ToArray()));
        Assert.Equal("content", await File.ReadAllTextAsync(Path.Combine(Bundles.Repository, $"objects/{hash[..2]}/{hash}"), Token));
        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync($"objects/00/{hash}", "content"u8.ToArray()));
        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync("metadata/timestamp.json", "content"u8.ToArray()));
        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync($"targets/..%2F..%2Fx/{hash}.edge.json", "content"u8.ToArray()));
        using var viewer = Server.Client("Bearer", await Server.KeyAsync("vera", Appliance.UpdateServer.Access.Role.Viewer));
        using var refused = await viewer.PutAsync($"/api/v1/repository/files/objects/{hash[..2]}/{hash}", new ByteArrayContent([]), Token);
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Bundles.Repository, ".uploading")));
    }

    /// <summary>A disk that spoils a file leaves its size as it was.</summary>
    [Fact]
    public async Task AFileThatTheServersDiskHasSpoilt_IsMended_ByThePublicationThatHasIt()
    {
        Assert.Equal(0, (await _publisher.PublishAsync("1.0", "work")).ExitCode);
        var spoilt = new List<(string Path, byte[] Content)>();
        foreach (var path in Directory.GetFiles(Path.Combine(Bundles.Repository, "objects"), "*", SearchOption.AllDirectories).Concat(Directory.GetFiles(Path.Combine(Bundles.Repository, "targets"), "*", SearchOption.AllDirectories)))
        {
            var content = await File.ReadAllBytesAsync(path, Token);
            spoilt.Add((path, [.. content]));
            content[content.Length / 2] ^= 1;
            await File.WriteAllBytesAsync(path, content, Token);
        }
        var sizes = spoilt.ToDictionary(file => Path.GetRelativePath(Bundles.Repository, file.Path), file => (long)file.Content.Length);
        Assert.Equal(sizes.Keys.Order(), (await Server.PostAsync("/api/v1/repository/missing", new { files = sizes }))["files"]!.AsArray().Select(file => (string?)file).Order());

        var again = await _publisher.PublishAsync("1.0", "work");

        Assert.True(again.ExitCode == 0, again.Said);
        foreach (var (path, content) in spoilt) Assert.Equal(content, await File.ReadAllBytesAsync(path, Token));
        var verified = await PublisherScene.RunAsync("verify", Bundles.Repository, "--root", Path.Combine(_publisher.Offline, "root.json"));
        Assert.True(verified.ExitCode == 0, verified.Said);
    }

    /// <summary>So is an uploaded file, and what uploads left that were cut off goes.</summary>
    [Fact]
    public async Task AnUploadThatTheServersDiskHasSpoilt_IsMended_ByTheSameUpload()
    {
        await Server.UploadAsync("app", "1.1", [1, 2, 3]);
        var stored = Assert.Single(Directory.GetFiles(Path.Combine(Server.DataFolder, "artifacts")));
        await File.WriteAllBytesAsync(stored, [1, 2, 4], Token);
        var (old, young) = (Path.Combine(Server.DataFolder, "artifacts/.old"), Path.Combine(Server.DataFolder, "artifacts/.young"));
        foreach (var left in new[] { old, young }) await File.WriteAllTextAsync(left, "half", Token);
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddDays(-2));

        await Server.UploadAsync("app", "1.1", [1, 2, 3]);

        Assert.Equal([1, 2, 3], await File.ReadAllBytesAsync(stored, Token));
        Assert.Equal([young, stored], Directory.GetFiles(Path.Combine(Server.DataFolder, "artifacts")).Order(StringComparer.Ordinal));
    }

    /// <summary>Nobody has to remember the timestamp, which lasts a few days only.</summary>
    [Fact]
    public async Task TheTimestamp_IsRenewed_ByTheServer()
    {
        Assert.Equal(0, (await _publisher.PublishAsync("1.0", "work")).ExitCode);
        DateTimeOffset ended;
        using (var writer = _publisher.Writer(new MemorySigners())) ended = writer.Current!.Timestamp!.Expires;
        _publisher.Time.Now = ended.AddHours(-1);

        await Server.Service<RepositoryPublisher>().RenewAsync(Token);

        using var renewed = _publisher.Writer(new MemorySigners());
        Assert.True(renewed.Current!.Timestamp!.Expires > ended.AddDays(1), $"it ends at {renewed.Current.Timestamp.Expires}");
    }

    [Fact]
    public async Task AServerWithoutKeys_SaysSo()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, Bundles.Repository);
        using var answer = await scene.Admin.GetAsync("/api/v1/repository", Token);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("--online-keys", await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    private async Task<HttpStatusCode> SendAsync(string path, byte[] content)
    {
        using var answer = await Server.Admin.PutAsync($"/api/v1/repository/files/{path}", new ByteArrayContent(content), Token);
        return answer.StatusCode;
    }

    private async Task RefusesAsync(string expected, params (string Role, byte[] Bytes)[] files)
    {
        using var answer = await Server.Admin.PostAsJsonAsync("/api/v1/repository/metadata", new { files = files.ToDictionary(file => file.Role, file => file.Bytes) }, Token);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains(expected, (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!["detail"], StringComparison.Ordinal);
    }
}
