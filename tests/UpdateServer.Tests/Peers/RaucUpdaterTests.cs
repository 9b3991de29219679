using System.Text.Json.Nodes;

namespace UpdateServer.Tests.Peers;

/// <summary>rauc-hawkbit-updater with RAUC, a real client of hawkBit, takes an update from the server. Debian has it in sid alone.</summary>
public sealed class RaucUpdaterTests
{
    [Fact(Explicit = true)]
    public async Task RaucHawkbitUpdater_InstallsABundle()
    {
        await using var peer = await PeerTree.OpenAsync("sid", "rauc-hawkbit-updater", "rauc", "dbus", "openssl", "squashfs-tools");
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Postgres, poll: TimeSpan.FromSeconds(1));
        peer.Write("system.conf", $"""
            [system]
            compatible=bench
            bootloader=custom
            bundle-formats=plain
            statusfile={peer.FolderInside}/status
            [handlers]
            bootloader-custom-backend={peer.FolderInside}/backend
            [keyring]
            path={peer.FolderInside}/cert.pem
            [slot.rootfs.0]
            device={peer.FolderInside}/slot.0
            bootname=A
            type=raw
            [slot.rootfs.1]
            device={peer.FolderInside}/slot.1
            bootname=B
            type=raw
            """);
        peer.Write("bus.conf", $"""
            <busconfig><type>system</type><listen>unix:path={peer.FolderInside}/bus</listen>
            <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
            """);
        peer.Write("hawkbit.conf", $"""
            [client]
            hawkbit_server={scene.Address.Authority}
            ssl=false
            tenant_id=default
            target_name=rauc-1
            gateway_token={ServerScene.GatewayToken}
            bundle_download_location={peer.FolderInside}/download.raucb
            post_update_reboot=false
            [device]
            board=vm
            """);
        peer.RunScript("""
            openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=publisher -days 10
            mkdir content
            head -c 100000 /dev/urandom > content/rootfs.img
            printf '[update]\ncompatible=bench\nversion=2\n[bundle]\nformat=plain\n[image.rootfs]\nfilename=rootfs.img\n' > content/manifest.raucm
            rauc bundle --cert=cert.pem --key=key.pem content app.raucb
            printf '#!/bin/sh\ncase $1 in get-primary) echo A ;; get-state) echo good ;; esac\n' > backend
            chmod +x backend
            truncate --size=200000 slot.0 slot.1
            """);
        var release = await scene.UploadAsync("os", "2", await File.ReadAllBytesAsync(Path.Combine(peer.Folder, "app.raucb"), TestContext.Current.CancellationToken));

        peer.Start($"""
            export DBUS_SYSTEM_BUS_ADDRESS=unix:path={peer.FolderInside}/bus
            dbus-daemon --config-file=bus.conf --nofork --nopidfile &
            while [ ! -S bus ]; do sleep 0.1; done
            rauc --conf=system.conf service --override-boot-slot=A &
            while ! rauc --conf=system.conf status >/dev/null 2>&1; do sleep 0.1; done
            rauc-hawkbit-updater -c hawkbit.conf
            """, "log");
        await Eventually.IsTrueAsync(async () => (await scene.GetAsync("/api/v1/devices?filter=board=vm"))["total"]!.GetValue<int>() == 1, "the updater, registered");
        await scene.AssignAsync("rauc-1", release, forced: true);
        await Eventually.IsTrueAsync(async () => (string?)(await ActionAsync(scene))["state"] == "finished", "the installation");

        var image = await File.ReadAllBytesAsync(Path.Combine(peer.Folder, "content", "rootfs.img"), TestContext.Current.CancellationToken);
        Assert.Equal(image, (await File.ReadAllBytesAsync(Path.Combine(peer.Folder, "slot.1"), TestContext.Current.CancellationToken))[..image.Length]);
        Assert.Contains((await ActionAsync(scene))["messages"]!.AsArray(), message => ((string)message!).Contains("100% Installing done", StringComparison.Ordinal));
    }

    private static async Task<JsonNode> ActionAsync(ServerScene scene) => (await scene.GetAsync("/api/v1/devices/rauc-1/actions"))[0]!;
}
