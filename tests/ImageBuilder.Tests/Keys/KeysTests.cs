using System.Diagnostics;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;
using Appliance.Core.Tuf.Publishing;
using Appliance.ImageBuilder.Keys;

namespace ImageBuilder.Tests.Keys;

public sealed class KeysTests : IDisposable
{
    private const string Passphrase = QuickKeys.Passphrase;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private readonly Temporary _temporary = new();

    public void Dispose() => _temporary.Dispose();

    private string Repository => _temporary["repository"];

    private KeyFolder Init(int rootKeys = 1, int threshold = 1) => KeyCeremony.Init(_temporary["keys"], rootKeys, threshold, ["stable"], () => Passphrase);

    private KeyFolder Open(string passphrase = Passphrase) => QuickKeys.Open(_temporary["keys"], passphrase);

    private void Publish(string name = "a.json")
    {
        using var writer = TufRepositoryWriter.Open(Repository, Open());
        writer.SetTarget("stable", TargetFile.Of($"stable/{name}", [1, 2, 3]));
        writer.Commit();
    }

    private static string[] Files(string folder) => [.. Directory.GetFiles(folder).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];

    [Fact]
    public void Init_MakesPrivateKeys_AndASignedRoot()
    {
        var folder = Init(rootKeys: 2, threshold: 2);

        Assert.Equal(["root", "root", "snapshot", "stable", "targets", "timestamp"], folder.Keys.Select(key => key.Role));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder.Path));
        Assert.All(folder.Keys, key => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key.Path)));
        var root = new TrustedMetadata(folder.ReadRoot(), "root.json", null).Root;
        Assert.Equal((1, 2, true), (root.Version, root.Roles["root"].Threshold, root.ConsistentSnapshot));
        Assert.DoesNotContain(_temporary["keys.partial"], Directory.GetDirectories(_temporary.Folder));
    }

    [Fact]
    public async Task AKeyFile_IsEncryptedPkcs8_ThatOpensslReads()
    {
        var key = Init().Keys[0];
        using var openssl = Process.Start(new ProcessStartInfo("openssl", ["asn1parse", "-in", key.Path]) { RedirectStandardOutput = true })!;
        var structure = await openssl.StandardOutput.ReadToEndAsync();
        Assert.Contains("PBES2", structure, StringComparison.Ordinal);
        Assert.Contains("hmacWithSHA256", structure, StringComparison.Ordinal);
        Assert.Contains("0927C0", structure, StringComparison.Ordinal); // 600 000 rounds

        using var decrypt = Process.Start(new ProcessStartInfo("openssl", ["pkey", "-in", key.Path, "-passin", $"pass:{Passphrase}", "-pubout"]) { RedirectStandardOutput = true })!;
        Assert.Equal(key.Key.Public, await decrypt.StandardOutput.ReadToEndAsync());
    }

    [Fact]
    public void Init_Twice_RefusesToOverwrite()
    {
        Init();

        Assert.Contains("Keys are never overwritten", Assert.Throws<UserError>(() => Init()).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(2, 3)]
    [InlineData(2, 0)]
    public void Init_WithAThresholdThatCannotBeMet_IsRefused(int keys, int threshold) => Assert.Throws<UserError>(() => Init(keys, threshold));

    [Fact]
    public async Task AWrongPassphrase_IsAnErrorBeforeAnythingIsWritten()
    {
        QuickKeys.Create(_temporary["keys"]);
        Publish();
        var keys = Files(_temporary["keys"]);

        var error = await Assert.ThrowsAsync<UserError>(() => KeyCeremony.RotateAsync(Open("wrong passphrase"), Repository, null, "stable", null, null, Token));

        Assert.Contains("cannot be decrypted", error.Message, StringComparison.Ordinal);
        Assert.Equal(keys, Files(_temporary["keys"]));
        Assert.False(File.Exists(Path.Combine(Repository, "metadata", "2.stable.json")));
    }

    [Fact]
    public void ADamagedKeyFile_IsNamed()
    {
        var key = QuickKeys.Create(_temporary["keys"]).Keys[0];
        File.WriteAllText(key.Path, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");

        Assert.Contains($"{key.Path} holds no usable P-256 key", Assert.Throws<UserError>(() => Open()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rotate_RetiresTheOldKey_AndPublishingGoesOnWithTheNew()
    {
        var old = QuickKeys.Create(_temporary["keys"]).Keys.ToLookup(key => key.Role, key => key.Key.Id);
        Publish();

        foreach (var role in (string[])["root", "timestamp", "stable"])
        {
            var rotation = await KeyCeremony.RotateAsync(Open(), Repository, null, role, null, null, Token);
            Assert.Equal(old[role], rotation.Retired.Select(key => key.Key.Id));
            Assert.DoesNotContain(rotation.Keys, key => key.IsPending);
        }

        Publish("b.json");
        Assert.Equal(File.ReadAllBytes(Path.Combine(Repository, "metadata", "3.root.json")), Open().ReadRoot());
        Assert.Equal(3, Files(Path.Combine(_temporary["keys"], "retired")).Length);
    }

    [Fact]
    public async Task Rotate_ToMoreKeysAndAHigherThreshold_TakesEffect()
    {
        QuickKeys.Create(_temporary["keys"]);
        Publish();

        await KeyCeremony.RotateAsync(Open(), Repository, null, "root", 3, 2, Token);

        var role = RootMetadata.Parse(Open().ReadRoot(), "root.json").Roles["root"];
        Assert.Equal((3, 2), (role.KeyIds.Count, role.Threshold));
        await KeyCeremony.RenewAsync(Open(), Repository, null, ["root"], Token);
    }

    [Fact]
    public async Task Rotate_InterruptedBeforeItWasPublished_UsesTheSameNewKey()
    {
        QuickKeys.Create(_temporary["keys"]);
        Publish();
        var pending = Open().Add("timestamp", pending: true);

        var rotation = await KeyCeremony.RotateAsync(Open(), Repository, null, "timestamp", null, null, Token);

        Assert.False(rotation.Completed);
        Assert.Equal(pending.Key.Id, Assert.Single(rotation.Keys).Key.Id);
    }

    [Theory]
    [InlineData("timestamp", 2)]
    [InlineData("stable", 1)]
    public async Task Rotate_InterruptedAfterItWasPublished_IsOnlyCompleted(string role, long rootVersion)
    {
        QuickKeys.Create(_temporary["keys"]);
        Publish();
        var folder = Open();
        var pending = folder.Add(role, pending: true);
        using (var writer = TufRepositoryWriter.Open(Repository, folder))
        {
            writer.ReplaceKeys(role, [pending.Key], 1);
            writer.Commit();
        }
        Publish("b.json"); // publishing works in between

        var rotation = await KeyCeremony.RotateAsync(Open(), Repository, null, role, null, null, Token);

        Assert.True(rotation.Completed);
        Assert.Equal(rootVersion, rotation.RootVersion);
        Assert.Equal(pending.Key.Id, Assert.Single(rotation.Keys).Key.Id);
        Assert.Single(rotation.Retired);
    }

    [Fact]
    public async Task Rotate_OfAFolderThatIsNoRepository_SaysSo_AndMakesNothing()
    {
        QuickKeys.Create(_temporary["keys"]);

        Assert.Contains("holds no repository", (await Assert.ThrowsAsync<UserError>(() => KeyCeremony.RotateAsync(Open(), Repository, null, "root", null, null, Token))).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Repository));
    }

    [Fact]
    public void Add_MakesAKeyForAnotherChannel_Once()
    {
        QuickKeys.Create(_temporary["keys"]);
        KeyCeremony.Add(Open(), "beta");

        Assert.Single(Open().SignersFor("beta"));
        Assert.Throws<UserError>(() => KeyCeremony.Add(Open(), "beta"));
        Assert.Throws<UserError>(() => KeyCeremony.Add(Open(), "snapshot"));
    }

    [Fact]
    public async Task TheCommandLine_InitsAndShows_AsJson()
    {
        var init = await RunAsync("keys", "init", "--dir", _temporary["keys"], "--root-keys", "1", "--json");
        var show = JsonNode.Parse(await RunAsync("keys", "show", "--dir", _temporary["keys"], "--json"))!;

        Assert.Equal(JsonNode.Parse(init)!.ToJsonString(), show.ToJsonString());
        Assert.Equal(5, show["keys"]!.AsArray().Count);
    }

    private static async Task<string> RunAsync(params string[] arguments)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "appliance");
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardInput = true };
        start.Environment["APPLIANCE_KEYS_PASSPHRASE"] = Passphrase;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return output;
    }
}
