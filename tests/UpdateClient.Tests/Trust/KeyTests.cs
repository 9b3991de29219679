using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Tuf;
using Appliance.UpdateClient.Trust;
using Core.Tests.Tuf;

namespace UpdateClient.Tests.Trust;

/// <summary>Thresholds, compromised keys, and keys that are not known.</summary>
public sealed class KeyTests
{
    private static JsonObject Json(TufKey key) => new() { ["keytype"] = key.KeyType, ["scheme"] = key.Scheme, ["keyval"] = new JsonObject { ["public"] = key.Public } };

    private static void SetRole(JsonObject root, string role, int threshold, params (string Id, JsonObject Key)[] keys)
    {
        foreach (var (id, key) in keys) root["keys"]![id] = key.DeepClone();
        root["roles"]![role] = new JsonObject { ["keyids"] = new JsonArray([.. keys.Select(key => JsonValue.Create(key.Id))]), ["threshold"] = threshold };
    }

    private static string IdOf(JsonObject key) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(CanonicalJson.Encode(System.Text.Json.JsonElement.Parse(key.ToJsonString()))));

    [Fact]
    public async Task Refuses_OneStolenRootKey_WhenTwoAreRequired()
    {
        using var scene = new Scene(rootKeys: 3, rootThreshold: 2).Publish();
        var roots = scene.Keys.Roles["root"];
        scene.Write("2.root.json", scene.Forge("1.root.json", signed => signed["version"] = 2, roots[0]));
        Assert.Contains("1 of the 2 valid signatures", await scene.RefusalAsync(), StringComparison.Ordinal);

        scene.Write("2.root.json", scene.Forge("1.root.json", signed => signed["version"] = 2, roots[0], roots[2]));
        Assert.Equal(2, (await scene.RefreshAsync()).Trusted.Root.Version);
    }

    [Fact]
    public async Task Refuses_TwoSignaturesOfOneKey()
    {
        using var scene = new Scene(rootKeys: 2, rootThreshold: 2).Publish();
        var key = scene.Key("root");
        scene.Write("2.root.json", scene.Forge("1.root.json", signed => signed["version"] = 2, key, key));

        Assert.Contains("two signatures of the key", await scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_OneKeyUnderTwoIds_AsTwoSigners()
    {
        using var scene = new Scene().Publish();
        var key = scene.Key("timestamp");
        var twin = Json(key.Key);
        twin["comment"] = "the same key under another id";
        scene.Write("2.root.json", scene.Forge("1.root.json", signed =>
        {
            signed["version"] = 2;
            SetRole(signed, "timestamp", 2, (key.Key.Id, Json(key.Key)), (IdOf(twin), twin));
        }, scene.Key("root")));
        var file = JsonNode.Parse(scene.Forge("timestamp.json", _ => { }, key))!;
        var second = file["signatures"]![0]!.DeepClone();
        second["keyid"] = IdOf(twin);
        file["signatures"]!.AsArray().Add(second);
        scene.Write("timestamp.json", System.Text.Encoding.UTF8.GetBytes(file.ToJsonString()));

        Assert.Contains("1 of the 2 valid signatures", await scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_AKeyWhoseIdIsNotItsHash()
    {
        using var scene = new Scene().Publish();
        scene.Write("2.root.json", scene.Forge("1.root.json", signed =>
        {
            signed["version"] = 2;
            signed["keys"]!["00"] = Json(new MemorySigner().Key);
        }, scene.Key("root")));

        Assert.Contains("another key than its id says", await scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AKeyOfUnknownType_IsTolerated_ButNeverCounts()
    {
        using var scene = new Scene().Publish();
        var unknown = new JsonObject { ["keytype"] = "sphincs", ["scheme"] = "sphincs-shake-128s", ["keyval"] = new JsonObject { ["public"] = "00" } };
        var known = scene.Key("timestamp").Key;
        scene.Write("2.root.json", scene.Forge("1.root.json", signed =>
        {
            signed["version"] = 2;
            SetRole(signed, "timestamp", 1, (known.Id, Json(known)), (IdOf(unknown), unknown));
        }, scene.Key("root")));
        Assert.Single(await scene.CheckAsync());

        scene.Write("3.root.json", scene.Forge("2.root.json", signed =>
        {
            signed["version"] = 3;
            SetRole(signed, "timestamp", 2, (known.Id, Json(known)), (IdOf(unknown), unknown));
        }, scene.Key("root")));
        Assert.Contains("cannot verify keys of the type sphincs/sphincs-shake-128s", await scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnRsaKey_IsVerified_UnlessItIsTooSmall()
    {
        foreach (var (bits, accepted) in ((int, bool)[])[(2048, true), (1024, false)])
        {
            using var scene = new Scene().Publish();
            using var rsa = System.Security.Cryptography.RSA.Create(bits);
            var key = new JsonObject { ["keytype"] = "rsa", ["scheme"] = "rsassa-pss-sha256", ["keyval"] = new JsonObject { ["public"] = rsa.ExportSubjectPublicKeyInfoPem() } };
            scene.Write("2.root.json", scene.Forge("1.root.json", signed =>
            {
                signed["version"] = 2;
                SetRole(signed, "timestamp", 1, (IdOf(key), key));
            }, scene.Key("root")));
            var file = JsonNode.Parse(scene.Read("timestamp.json"))!;
            var signature = rsa.SignData(CanonicalJson.Encode(System.Text.Json.JsonElement.Parse(file["signed"]!.ToJsonString())), System.Security.Cryptography.HashAlgorithmName.SHA256, System.Security.Cryptography.RSASignaturePadding.Pss);
            file["signatures"] = new JsonArray(new JsonObject { ["keyid"] = IdOf(key), ["sig"] = Convert.ToHexStringLower(signature) });
            scene.Write("timestamp.json", System.Text.Encoding.UTF8.GetBytes(file.ToJsonString()));

            if (accepted) Assert.Single(await scene.CheckAsync());
            else Assert.Contains("0 of the 1", await scene.RefusalAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Refuses_ALaterSpecification_AndSaysToUpdate()
    {
        using var scene = new Scene().Publish();
        scene.Write("timestamp.json", scene.Forge("timestamp.json", signed => signed["spec_version"] = "2.0.0", scene.Key("timestamp")));

        var refusal = await scene.RefusalAsync();

        Assert.Contains("follows version 2.0.0 of the TUF specification", refusal, StringComparison.Ordinal);
        Assert.Contains("Update this program", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("root")]
    [InlineData("timestamp")]
    [InlineData("snapshot")]
    [InlineData("targets")]
    [InlineData("stable")]
    public async Task Refuses_TheOldKey_AfterARotation(string role)
    {
        using var scene = new Scene().Publish();
        await scene.CheckAsync();
        var old = scene.Key(role);
        scene.Rotate(role);
        Assert.Single(await scene.CheckAsync());

        if (role == "root") scene.Write("3.root.json", scene.Forge("2.root.json", signed => signed["version"] = 3, old));
        else if (role == "timestamp") scene.Write("timestamp.json", scene.Forge("timestamp.json", signed => signed["version"] = 99, old));
        else if (role == "snapshot")
        {
            var forged = scene.Forge("2.snapshot.json", signed => signed["version"] = 3, old);
            scene.Write("3.snapshot.json", forged);
            scene.Write("timestamp.json", scene.Forge("timestamp.json", signed => { signed["version"] = 99; signed["meta"]!["snapshot.json"] = Scene.Listing(forged, 3); }, scene.Key("timestamp")));
        }
        else scene.ForgeListed(role, scene.Forge($"2.{role}.json", signed => signed["version"] = 3, old), 3);

        Assert.Contains($"0 of the 1 valid signatures needed for role {role}", await scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADeviceOfTheFirstRoot_FollowsManyRotations_ButABoundedNumberAtATime()
    {
        using var scene = new Scene().Publish();
        for (var i = 0; i < 6; i++) scene.Rotate("root");

        Assert.Equal(5, (await scene.RefreshAsync(new TufClientOptions { RootRotations = 4 })).Trusted.Root.Version);
        Assert.Equal(7, (await scene.RefreshAsync(new TufClientOptions { RootRotations = 4 })).Trusted.Root.Version);
    }
}
