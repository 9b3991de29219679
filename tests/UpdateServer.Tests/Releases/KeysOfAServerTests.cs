using Appliance.Core.Tuf;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Releases;
using Core.Tests.Tuf;

namespace UpdateServer.Tests.Releases;

/// <summary>The programs <c>appliance keys renew</c> and <c>rotate</c> through the server, with the keys elsewhere.</summary>
public sealed class KeysOfAServerTests : IAsyncLifetime
{
    private PublisherScene _publisher = null!;
    private byte[] _firstRoot = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _publisher = await PublisherScene.CreateAsync();
        _firstRoot = await File.ReadAllBytesAsync(Path.Combine(_publisher.Offline, "root.json"), Token);
        var published = await _publisher.PublishAsync("1.0", "work");
        Assert.True(published.ExitCode == 0, published.Said);
    }

    public ValueTask DisposeAsync() => _publisher.DisposeAsync();

    [Fact]
    public async Task WhatEnds_IsRenewed_WithTheKeysThatAreElsewhere()
    {
        Assert.Contains("Nothing is due", await DoAsync("renew"), StringComparison.Ordinal);
        var ended = await ReadAsync("known");

        Assert.Equal("Renewed: root, targets, stable\n", await DoAsync("renew", "--role", "root", "--role", "targets", "--role", "stable"));

        var renewed = await ReadAsync("known"); // a device that was there before
        Assert.Equal((ended.Root.Version + 1, ended.Targets!.Version + 1), (renewed.Root.Version, renewed.Targets!.Version));
        Assert.Equal(renewed.Root.Envelope.Bytes.ToArray(), await File.ReadAllBytesAsync(Path.Combine(_publisher.Offline, "root.json"), Token));
        var refused = await RunAsync("renew", "--role", "timestamp");
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("The server renews timestamp by itself", refused.Said, StringComparison.Ordinal);
        await PublishesOnAsync();
    }

    [Theory]
    [InlineData("root")]
    [InlineData("targets")]
    [InlineData("stable")]
    public async Task ARole_GetsNewKeys_AndDevicesFollow(string role)
    {
        var before = await ReadAsync("known");

        Assert.StartsWith($"Rotated the keys of {role};", await DoAsync("rotate", "--role", role), StringComparison.Ordinal);

        foreach (var device in new[] { "known", "new" }) Assert.Empty(KeysOf(await ReadAsync(device), role).Intersect(KeysOf(before, role)));
        Assert.Equal(role == "root" ? 2 : 1, Directory.GetFiles(Path.Combine(_publisher.Offline, "retired")).Length);
        await PublishesOnAsync();
    }

    /// <summary>The server signs with them from the moment on in which the new root counts.</summary>
    [Fact]
    public async Task AKeyOfTheServer_IsRotated_OnceTheServerHasIt()
    {
        var before = await ReadAsync("known");

        var first = await RunAsync("rotate", "--role", "timestamp");
        Assert.Equal(2, first.ExitCode);
        var pending = Assert.Single(Directory.GetFiles(_publisher.Offline, "timestamp-*.new"));
        Assert.Contains($"Copy {pending} into its folder of online keys", first.Said, StringComparison.Ordinal);
        var early = await RunAsync("rotate", "--role", "timestamp");
        Assert.Equal(2, early.ExitCode);
        Assert.Contains("1 more of the keys of role timestamp are needed", early.Said, StringComparison.Ordinal);
        Assert.Equal(before.Root.Version, (await ReadAsync("known")).Root.Version);

        File.Copy(pending, Path.Combine(_publisher.Online, Path.GetFileName(pending)));
        await _publisher.StartServerAsync();
        await DoAsync("rotate", "--role", "timestamp");

        foreach (var device in new[] { "known", "new" }) Assert.Empty(KeysOf(await ReadAsync(device), "timestamp").Intersect(KeysOf(before, "timestamp")));
        _publisher.Time.Now += TimeSpan.FromDays(5);
        await _publisher.Server.Service<RepositoryPublisher>().RenewAsync(Token);
        await ReadAsync("known");
        await PublishesOnAsync();
    }

    [Fact]
    public async Task ARotation_ThatEndedBeforeItSettledTheKeys_IsCompleted()
    {
        await DoAsync("rotate", "--role", "targets");
        var (made, retired) = (Assert.Single(Directory.GetFiles(_publisher.Offline, "targets-*")), Assert.Single(Directory.GetFiles(Path.Combine(_publisher.Offline, "retired"))));
        File.Move(made, made + ".new");
        File.Move(retired, Path.Combine(_publisher.Offline, Path.GetFileName(retired)));
        await File.WriteAllBytesAsync(Path.Combine(_publisher.Offline, "root.json"), _firstRoot, Token);

        Assert.StartsWith("Completed the interrupted rotation of targets; the newest root is version 2.", await DoAsync("rotate", "--role", "targets"), StringComparison.Ordinal);

        Assert.Equal(made, Assert.Single(Directory.GetFiles(_publisher.Offline, "targets-*")));
    }

    [Fact]
    public async Task WhoMayNot_AndWhoHasOtherKeys_ChangesNothing()
    {
        var before = Files();
        await File.WriteAllTextAsync(_publisher.Bundles["api.key"], await _publisher.Server.KeyAsync("vera", Role.Viewer), Token);
        Assert.Contains("The key vera is one of a Viewer", (await RunAsync("renew", "--role", "root")).Said, StringComparison.Ordinal);
        await File.WriteAllTextAsync(_publisher.Bundles["api.key"], _publisher.Server.Key, Token);
        Assert.Equal(0, (await PublisherScene.RunAsync("keys", "init", "--dir", _publisher.Bundles["others"])).ExitCode);

        var refused = await PublisherScene.RunAsync(["keys", "renew", "--dir", _publisher.Bundles["others"], "--repo", _publisher.Bundles["theirs"], "--role", "root", .. _publisher.ToServer()]);

        Assert.Equal(2, refused.ExitCode);
        Assert.Equal(before, Files());

        string[] Files() => [.. Directory.GetFiles(Path.Combine(_publisher.Repository, "metadata")).Order(StringComparer.Ordinal)];
    }

    private Task<(int ExitCode, string Said)> RunAsync(string verb, params string[] more) =>
        PublisherScene.RunAsync(["keys", verb, "--dir", _publisher.Offline, "--repo", _publisher.Bundles["work"], .. _publisher.ToServer(), .. more]);

    private async Task<string> DoAsync(string verb, params string[] more)
    {
        var (exitCode, said) = await RunAsync(verb, more);
        Assert.True(exitCode == 0, said);
        return said;
    }

    /// <summary>What a device reads that trusts the first root; it keeps what it has read.</summary>
    private async Task<TrustedMetadata> ReadAsync(string device)
    {
        var client = new TufClient(new FolderSource(_publisher.Repository), Directory.CreateDirectory(_publisher.Bundles[device]).FullName, _firstRoot, new TufClientOptions { Time = _publisher.Time });
        await client.RefreshAsync(Token);
        Assert.NotEmpty(await client.ReadChannelAsync("stable", Token));
        return client.Trusted;
    }

    private static IEnumerable<string> KeysOf(TrustedMetadata trusted, string role) =>
        trusted.Root.Roles.TryGetValue(role, out var known) ? known.KeyIds : trusted.Targets!.Delegations.Single(delegation => delegation.Name == role).Role.KeyIds;

    private async Task PublishesOnAsync()
    {
        var published = await _publisher.PublishAsync("1.1", "elsewhere");
        Assert.True(published.ExitCode == 0, published.Said);
        var root = _publisher.Bundles["first-root.json"];
        await File.WriteAllBytesAsync(root, _firstRoot, Token);
        using var repository = await TrustedRepository.OpenAsync(new FolderSource(_publisher.Repository), root, _publisher.Time, Token);
        Assert.Equal(2, (await repository.Client.ReadChannelAsync("stable", Token)).Count);
    }
}
