using System.Text;
using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;
using Appliance.Core.Tuf.Publishing;
using Appliance.ImageBuilder.Keys;

namespace ImageBuilder.Tests.Keys;

/// <summary>python-tuf and we agree: its client reads our repository over HTTP, our code reads what it signed.</summary>
public sealed class PythonTufTests : IDisposable
{
    private readonly Temporary _temporary = new();

    public void Dispose() => _temporary.Dispose();

    private sealed class Past(TimeSpan ago) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow - ago;
    }

    private KeyFolder Keys => QuickKeys.Open(_temporary["keys"]);

    private string Repository => _temporary["repository"];

    private void Publish(string name, string content)
    {
        var target = TargetFile.Of($"stable/{name}", Encoding.UTF8.GetBytes(content), JsonElement.Parse("""{"id":"edge","version":"1.0","rollout":100,"note":"ü \"quoted\" \\ 😀"}"""));
        var path = Path.Combine(Repository, target.PathInRepository(true));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        using var writer = TufRepositoryWriter.Open(Repository, Keys);
        writer.SetTarget("stable", target);
        writer.Commit();
    }

    private void RenewTimestamp(TimeProvider time)
    {
        using var writer = TufRepositoryWriter.Open(Repository, Keys, null, time);
        writer.Renew("timestamp");
        writer.Commit();
    }

    private static void Tamper(string file, string from, string to)
    {
        var text = File.ReadAllText(file);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(file, text.Replace(from, to, StringComparison.Ordinal));
    }

    [Fact]
    public async Task PythonTuf_ReadsOurRepository_ThroughRotations_Expiry_AndRefusesTampering()
    {
        using var python = await PythonTuf.OpenAsync();
        var root = QuickKeys.Create(_temporary["keys"], 2, 2).ReadRoot();
        Publish("a.json", "one");
        using var server = new StaticServer(Repository);
        var client = python.NewClient(root);
        Assert.Equal("one", await python.FetchAsync(client, server.Url, "stable/a.json"));
        Assert.Equal("none", await python.FetchAsync(client, server.Url, "stable/b.json"));

        foreach (var role in (string[])["root", "timestamp", "snapshot", "targets", "stable"]) await KeyCeremony.RotateAsync(Keys, Repository, null, role, null, null, TestContext.Current.CancellationToken);
        Publish("b.json", "two");
        Assert.Equal("two", await python.FetchAsync(client, server.Url, "stable/b.json"));
        var newcomer = python.NewClient(root);
        Assert.Equal("one", await python.FetchAsync(newcomer, server.Url, "stable/a.json"));

        RenewTimestamp(new Past(TimeSpan.FromDays(8)));
        Assert.Equal("ExpiredMetadataError", await python.FetchAsync(client, server.Url, "stable/b.json"));
        RenewTimestamp(TimeProvider.System);
        Assert.Equal("two", await python.FetchAsync(client, server.Url, "stable/b.json"));

        var (stable, timestamp) = (Path.Combine(Repository, "metadata", "3.stable.json"), Path.Combine(Repository, "metadata", "timestamp.json"));
        Tamper(stable, "stable/b.json", "stable/c.json");
        Assert.Equal("LengthOrHashMismatchError", await python.FetchAsync(python.NewClient(root), server.Url, "stable/b.json"));
        Tamper(stable, "stable/c.json", "stable/b.json");
        Tamper(timestamp, "\"version\":", "\"version\":1");
        Assert.Equal("UnsignedMetadataError", await python.FetchAsync(python.NewClient(root), server.Url, "stable/b.json"));
        Tamper(timestamp, "\"version\":1", "\"version\":");
        var target = Directory.GetFiles(Path.Combine(Repository, "targets", "stable"), "*.b.json")[0];
        Tamper(target, "two", "owt");
        Assert.Equal("LengthOrHashMismatchError", await python.FetchAsync(python.NewClient(root), server.Url, "stable/b.json"));
        Tamper(target, "owt", "two");
        Assert.Equal("two", await python.FetchAsync(python.NewClient(root), server.Url, "stable/b.json"));
    }

    [Fact]
    public async Task WeVerify_WhatPythonTufSigned_AndCountOnlyTheKeysWeKnow()
    {
        const string script = """
            import sys
            from datetime import datetime, timedelta, timezone
            from securesystemslib.signer import CryptoSigner
            from tuf.api.metadata import Metadata, Root
            signers = [CryptoSigner.generate_ecdsa(), CryptoSigner.generate_rsa(), CryptoSigner.generate_ed25519()]
            root = Root(expires=datetime.now(timezone.utc) + timedelta(days=1), consistent_snapshot=True)
            for signer in signers:
                for role in ["root", "timestamp", "snapshot", "targets"]:
                    root.add_key(signer.public_key, role)
            root.roles["root"].threshold = int(sys.argv[1])
            root.unrecognized_fields["x-note"] = "tab\t\"quote\" \\ \u00fc \U0001f600 <+>"
            metadata = Metadata(root)
            for signer in signers:
                metadata.sign(signer, append=True)
            print(metadata.to_bytes().decode())
            """;
        using var python = await PythonTuf.OpenAsync();

        var root = new TrustedMetadata(Encoding.UTF8.GetBytes(await python.PythonAsync(script, "2")), "root.json", null).Root;
        Assert.Equal(["ecdsa", "ed25519", "rsa"], root.Keys.Values.Select(key => key.KeyType).Order(StringComparer.Ordinal));

        var three = Encoding.UTF8.GetBytes(await python.PythonAsync(script, "3"));
        Assert.Contains("2 of the 3 signatures needed for role root (root version 1) could be verified, and this version cannot verify keys of the type ed25519/ed25519", Assert.Throws<UserError>(() => new TrustedMetadata(three, "root.json", null)).Message, StringComparison.Ordinal);
    }
}
