using System.CommandLine;
using System.Text.Json.Nodes;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;
using Appliance.ImageBuilder.Fleet;
using Appliance.ImageBuilder.Publish;

namespace Appliance.ImageBuilder.Keys;

/// <summary>The verbs <c>appliance keys …</c>.</summary>
internal static class KeysCommand
{
    /// <summary>Makes the command with its verbs.</summary>
    public static Command Create() => new("keys", """
        Makes, shows, replaces and renews the keys that sign a repository (TUF 1.0).

        Examples:
          appliance keys init --dir keys
          appliance keys rotate --dir keys --repo /srv/updates --role timestamp
          appliance keys renew --dir keys --repo /srv/updates
          appliance keys renew --dir keys --repo work --server https://updates.example:8443 --key-file ci.key
        """)
    { CreateInit(), CreateAdd(), CreateRotate(), CreateRenew(), CreateShow() };

    private static Command CreateInit()
    {
        var (dir, passphrase, json) = (Dir(), PassphraseOption.Create(), Json());
        var rootKeys = new Option<int>("--root-keys") { Description = "Number of root keys.", DefaultValueFactory = _ => 2 };
        var rootThreshold = new Option<int>("--root-threshold") { Description = "How many of them must sign a new root.", DefaultValueFactory = _ => 1 };
        var channel = new Option<string[]>("--channel") { Description = "A channel to make a key for (default: stable). May be repeated." };
        var command = new Command("init", """
            Makes the keys of a new repository and root.json, the root of trust that images bake in.
            Keep the root keys offline and a copy of them elsewhere; publishing needs only those of
            targets (for new channels), the channels, snapshot and timestamp.

            Examples:
              appliance keys init --dir keys
              appliance keys init --dir keys --root-keys 3 --root-threshold 2 --channel stable --channel beta
            """)
        { dir, rootKeys, rootThreshold, channel, passphrase, json };
        command.SetAction(result =>
        {
            var channels = result.GetValue(channel) is { Length: > 0 } named ? named : ["stable"];
            var folder = KeyCeremony.Init(result.GetValue(dir)!, result.GetValue(rootKeys), result.GetValue(rootThreshold), channels, PassphraseOption.Reader(result.GetValue(passphrase), isNew: true));
            KeyReport.Show(folder, result.GetValue(json));
            if (!result.GetValue(json)) Console.WriteLine($"\nKeep a copy of {folder.Path} in a safe place: without its root keys devices can never be given others.");
        });
        return command;
    }

    private static Command CreateAdd()
    {
        var (dir, passphrase, json) = (Dir(), PassphraseOption.Create(), Json());
        var channel = new Option<string>("--channel") { Description = "The channel.", Required = true };
        var command = new Command("add", """
            Makes a key for a further channel; the channel appears with the first bundle published to it.

            Example:
              appliance keys add --dir keys --channel beta
            """)
        { dir, channel, passphrase, json };
        command.SetAction(result =>
        {
            var folder = Open(result.GetValue(dir)!, result.GetValue(passphrase));
            KeyCeremony.Add(folder, result.GetValue(channel)!);
            KeyReport.Show(folder, result.GetValue(json));
        });
        return command;
    }

    private static Command CreateRotate()
    {
        var (dir, repo, passphrase, json) = (Dir(), Repo(), PassphraseOption.Create(), Json());
        var role = new Option<string>("--role") { Description = "root, targets, snapshot, timestamp, or a channel.", Required = true };
        var count = new Option<int?>("--keys") { Description = "Number of new keys (default: as many as there are)." };
        var threshold = new Option<int?>("--threshold") { Description = "How many of them must sign (default: as before)." };
        var command = new Command("rotate", """
            Gives a role new keys and publishes that: for top-level roles a new root, signed by the old and the new root
            keys; for a channel new targets metadata. Devices follow by themselves. The old key files go to retired/.
            A rotation that was interrupted is completed by the same command.

            Examples:
              appliance keys rotate --dir keys --repo /srv/updates --role timestamp
              appliance keys rotate --dir keys --repo /srv/updates --role root --keys 3 --threshold 2
              appliance keys rotate --dir keys --repo work --role stable --server https://updates.example:8443 --key-file ci.key
                                                    of the repository of an update server; --repo is a working copy of what it needs
            """)
        { dir, repo, role, count, threshold, passphrase, json };
        var server = new FleetOptions();
        server.AddTo(command, json: false);
        command.SetAction(async (result, cancellationToken) =>
        {
            var folder = Open(result.GetValue(dir)!, result.GetValue(passphrase));
            using var client = server.IsNamed(result) ? server.Open(result) : null;
            var rotation = await KeyCeremony.RotateAsync(folder, result.GetValue(repo)!, Remote(client, result.GetValue(repo)!, folder), result.GetValue(role)!, result.GetValue(count), result.GetValue(threshold), cancellationToken);
            KeyReport.Rotated(rotation, result.GetValue(json));
        });
        return command;
    }

    private static Command CreateRenew()
    {
        var (dir, repo, passphrase, json) = (Dir(), Repo(), PassphraseOption.Create(), Json());
        var role = new Option<string[]>("--role") { Description = "Renew this role: root, targets, snapshot, timestamp, or a channel. May be repeated." };
        var command = new Command("renew", """
            Signs metadata anew with a later expiry and the same keys. Without --role: all that has used up half of its life.
            Run it with --role timestamp every day (a timer or CI); the others need it once or twice a year. A server renews
            timestamp and snapshot by itself.

            Examples:
              appliance keys renew --dir keys --repo /srv/updates
              appliance keys renew --dir keys --repo /srv/updates --role timestamp
              appliance keys renew --dir keys --repo work --server https://updates.example:8443 --key-file ci.key
                                                    of the repository of an update server; --repo is a working copy of what it needs
            """)
        { dir, repo, role, passphrase, json };
        var server = new FleetOptions();
        server.AddTo(command, json: false);
        command.SetAction(async (result, cancellationToken) =>
        {
            var folder = Open(result.GetValue(dir)!, result.GetValue(passphrase));
            using var client = server.IsNamed(result) ? server.Open(result) : null;
            var renewed = await KeyCeremony.RenewAsync(folder, result.GetValue(repo)!, Remote(client, result.GetValue(repo)!, folder), result.GetValue(role) ?? [], cancellationToken);
            foreach (var warning in renewed.Warnings) Console.Error.WriteLine($"warning: {warning}");
            if (result.GetValue(json)) Console.WriteLine(new JsonObject { ["renewed"] = Names(renewed.Renewed), ["left"] = Names(renewed.Left.Select(left => left.Role)) }.ToJsonString());
            else Console.WriteLine(renewed.Renewed.Count > 0 ? $"Renewed: {string.Join(", ", renewed.Renewed)}" : renewed.Left.Count > 0 ? "Nothing could be renewed." : "Nothing is due.");

            static JsonArray Names(IEnumerable<string> roles) => new([.. roles.Select(name => JsonValue.Create(name))]);
        });
        return command;
    }

    private static Command CreateShow()
    {
        var (dir, json) = (Dir(), Json());
        var command = new Command("show", """
            Shows the keys of a folder and its root.json; asks for no passphrase.

            Example:
              appliance keys show --dir keys --json
            """)
        { dir, json };
        command.SetAction(result => KeyReport.Show(KeyFolder.Open(result.GetValue(dir)!, PassphraseOption.Reader(null)), result.GetValue(json)));
        return command;
    }

    private static KeyFolder Open(string dir, string? passphraseFile) => KeyFolder.Open(dir, PassphraseOption.Reader(passphraseFile));

    private static ServerRepository? Remote(FleetClient? client, string repository, KeyFolder folder) => client is null ? null : new ServerRepository(client, repository, folder.ReadRoot());

    private static Option<string> Dir() => new("--dir") { Description = "The folder of keys.", DefaultValueFactory = _ => "keys" };

    private static Option<string> Repo() => new("--repo") { Description = "The repository's folder; with --server, a working copy of what is needed of it.", Required = true };

    private static Option<bool> Json() => new("--json") { Description = "JSON on standard output." };
}
