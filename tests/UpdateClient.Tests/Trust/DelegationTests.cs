using System.Text.Json.Nodes;
using Appliance.Core.Tuf;
using Appliance.UpdateClient.Trust;
using Core.Tests.Tuf;

namespace UpdateClient.Tests.Trust;

/// <summary>The pre-order search of 5.6.7 over graphs of delegations.</summary>
public sealed class DelegationTests : IDisposable
{
    private readonly Scene _scene = new Scene().Publish();
    private readonly MemorySigner _key = new();

    public void Dispose() => _scene.Dispose();

    private sealed record Edge(string Name, string Pattern, bool Terminating = false, MemorySigner? Key = null);

    /// <summary>Makes the repository one of these roles, each with a list of delegations and of targets.</summary>
    private void Build(params (string Role, Edge[] Edges, string[] Targets)[] roles)
    {
        var listings = new JsonObject();
        foreach (var (role, edges, targets) in roles)
        {
            var file = _scene.Forge("1.targets.json", signed =>
            {
                signed["version"] = 2;
                signed["targets"] = new JsonObject(targets.Select(path => KeyValuePair.Create<string, JsonNode?>(path, new JsonObject
                {
                    ["length"] = role.Length, // tells the roles apart
                    ["hashes"] = new JsonObject { ["sha256"] = new string('0', 64) },
                })));
                signed["delegations"] = Delegations(edges);
            }, role == "targets" ? _scene.Key("targets") : _key);
            _scene.Write($"2.{Uri.EscapeDataString(role)}.json", file);
            listings[$"{role}.json"] = Scene.Listing(file, 2);
        }
        _scene.ForgeSnapshot(meta =>
        {
            foreach (var (name, listing) in listings) meta[name] = listing!.DeepClone();
        });
    }

    private JsonObject Delegations(Edge[] edges)
    {
        var keys = new JsonObject();
        foreach (var key in edges.Select(edge => (edge.Key ?? _key).Key).DistinctBy(key => key.Id))
            keys[key.Id] = new JsonObject { ["keytype"] = key.KeyType, ["scheme"] = key.Scheme, ["keyval"] = new JsonObject { ["public"] = key.Public } };
        return new JsonObject
        {
            ["keys"] = keys,
            ["roles"] = new JsonArray([.. edges.Select(edge => new JsonObject
            {
                ["name"] = edge.Name,
                ["keyids"] = new JsonArray((edge.Key ?? _key).Key.Id),
                ["threshold"] = 1,
                ["paths"] = new JsonArray(edge.Pattern),
                ["terminating"] = edge.Terminating,
            })]),
        };
    }

    private async Task<long?> FindAsync(string path, TufClientOptions? options = null) =>
        (await (await _scene.RefreshAsync(options)).FindTargetAsync(path, CancellationToken.None))?.Length;

    [Fact]
    public async Task TheFirstDelegation_HasTheMostSay_AndItsChildrenComeBeforeItsSiblings()
    {
        Build(("targets", [new("a", "p/*"), new("bbb", "p/*")], []), ("a", [new("dd", "p/*")], []), ("dd", [], ["p/x"]), ("bbb", [], ["p/x", "p/y"]));

        Assert.Equal(2, await FindAsync("p/x"));
        Assert.Equal(3, await FindAsync("p/y"));
        Assert.Null(await FindAsync("p/z"));
    }

    [Fact]
    public async Task ATerminatingDelegation_EndsTheSearch_ButNotForPathsItDoesNotCover()
    {
        Build(("targets", [new("a", "p/*", Terminating: true), new("bbb", "?/*")], []), ("a", [], []), ("bbb", [], ["p/x", "q/x"]));

        Assert.Null(await FindAsync("p/x"));
        Assert.Equal(3, await FindAsync("q/x"));
    }

    [Fact]
    public async Task ACycle_IsWalkedOnce()
    {
        Build(("targets", [new("a", "p/*")], []), ("a", [new("bbb", "p/*"), new("a", "p/*")], []), ("bbb", [new("a", "p/*")], []));

        Assert.Null(await FindAsync("p/x"));
        Assert.Single(_scene.Mirror.Asked, asked => asked.Path == "metadata/2.a.json");
    }

    [Fact]
    public async Task Refuses_ToVisitMoreRolesThanTheLimit()
    {
        var chain = Enumerable.Range(0, 10).Select(i => ($"r{i}", i == 9 ? [] : new Edge[] { new($"r{i + 1}", "p/*") }, i == 9 ? new[] { "p/x" } : [])).ToArray();
        Build([("targets", [new("r0", "p/*")], []), .. chain]);

        Assert.Null(await FindAsync("p/x", new TufClientOptions { VisitedRoles = 10 }));
        Assert.Equal(2, await FindAsync("p/x", new TufClientOptions { VisitedRoles = 11 }));
    }

    [Fact]
    public async Task Refuses_APathThatARoleOnTheWayIsNotTrustedFor()
    {
        Build(("targets", [new("a", "p/*")], []), ("a", [new("bbb", "q/*")], []), ("bbb", [], ["q/x", "p/x"]));

        Assert.Null(await FindAsync("q/x"));
        Assert.Null(await FindAsync("p/x"));
    }

    [Fact]
    public async Task ARoleNameThatIsNoFileName_IsEscaped()
    {
        Build(("targets", [new("../../x", "p/*")], []), ("../../x", [], ["p/x"]));

        Assert.Equal(7, await FindAsync("p/x"));
        Assert.Contains("..%2F..%2Fx.json", Directory.GetFiles(_scene.Trust).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Refuses_AChannelThatOnlyAnotherRolesKeysSigned()
    {
        // "a" delegates to a role called like a channel, with its own key; that must not make the channel's metadata trusted.
        Build(("targets", [new("a", "p/*"), new("bbb", "p/*", Key: new MemorySigner())], []), ("a", [new("bbb", "p/*")], []), ("bbb", [], ["p/x"]));
        var client = await _scene.RefreshAsync();
        Assert.NotNull(await client.FindTargetAsync("p/x", CancellationToken.None));

        await Assert.ThrowsAsync<Appliance.Core.UserError>(() => client.ReadChannelAsync("bbb", CancellationToken.None));
    }

    [Theory]
    [InlineData("targets/*.tgz", "targets/foo.tgz", true)]
    [InlineData("targets/*.tgz", "targets/foo.txt", false)]
    [InlineData("foo-version-?.tgz", "foo-version-2.tgz", true)]
    [InlineData("foo-version-?.tgz", "foo-version-alpha.tgz", false)]
    [InlineData("*.tgz", "targets/foo.tgz", false)]
    [InlineData("foo.tgz", "foo.tgz", true)]
    [InlineData("*a*b*", "xxaxxbxx", true)]
    [InlineData("*a*b", "xxaxxbxx", false)]
    [InlineData("*", "", true)]
    public async Task APattern_MatchesAsTheSpecificationSays(string pattern, string path, bool matches)
    {
        Build(("targets", [new("a", pattern)], []), ("a", [], []));

        Assert.Equal(matches, (await _scene.RefreshAsync()).Trusted.Targets!.Delegations[0].Covers(path));
    }
}
