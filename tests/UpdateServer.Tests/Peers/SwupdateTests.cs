using System.Text.Json.Nodes;

namespace UpdateServer.Tests.Peers;

/// <summary>Debian's SWUpdate in suricatta mode, a real client of hawkBit, takes an update from the server.</summary>
public sealed class SwupdateTests
{
    [Fact]
    public async Task Swupdate_TakesAnUpdate_AndConfirmsItAfterTheRestart()
    {
        await using var peer = await PeerTree.OpenAsync("trixie", "swupdate", "cpio", "openssl");
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, poll: TimeSpan.FromSeconds(1));
        peer.RunScript($$"""
            echo hello > hello.txt
            openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=publisher -addext extendedKeyUsage=emailProtection -days 10
            cat > sw-description <<END
            software = { version = "1.1"; hardware-compatibility: [ "1.0" ];
              files: ( { filename = "hello.txt"; path = "{{peer.FolderInside}}/installed.txt"; sha256 = "$(sha256sum hello.txt | cut -d' ' -f1)"; } ); }
            END
            openssl cms -sign -in sw-description -out sw-description.sig -signer cert.pem -inkey key.pem -outform DER -nosmimecap -binary
            printf 'sw-description\nsw-description.sig\nhello.txt\n' | cpio -o -H crc > app.swu
            """);
        var release = await scene.UploadAsync("app", "1.1", await File.ReadAllBytesAsync(Path.Combine(peer.Folder, "app.swu"), TestContext.Current.CancellationToken));
        string Command(string more) => $"swupdate -v -H vm:1.0 -k cert.pem -u '-S hawkbit -t default -u {scene.Address.GetLeftPart(UriPartial.Authority)} -i till-7 -g {ServerScene.GatewayToken} -p 1 --identify board vm {more}'";

        var first = peer.Start(Command(""), "first.log");
        await Eventually.IsTrueAsync(async () => (await scene.GetAsync("/api/v1/devices?filter=board=vm"))["total"]!.GetValue<int>() == 1, "SWUpdate, registered with its attributes");
        await scene.AssignAsync("till-7", release, forced: true);
        await Eventually.IsTrueAsync(async () => (await ActionAsync(scene))["messages"]!.AsArray().Any(message => ((string)message!).EndsWith("All Chunks Installed.", StringComparison.Ordinal)), "the installation");
        Assert.Equal("hello\n", peer.Log("installed.txt"));
        Assert.Equal("running", (string?)(await ActionAsync(scene))["state"]);
        first.Kill();

        peer.Start(Command("-c 2"), "second.log");
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(scene))["state"] == "finished", "the confirmation");
        Assert.Equal("app 1.1", (string?)(await scene.GetAsync("/api/v1/devices/till-7"))["installed"]);
    }

    private static async Task<JsonNode> ActionAsync(ServerScene scene) => (await scene.GetAsync("/api/v1/devices/till-7/actions"))[0]!;
}
