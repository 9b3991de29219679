using System.CommandLine;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Releases;
using Appliance.Core.Tuf.Keys;
using Appliance.Core.Tuf.Publishing;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Fleet;
using Appliance.ImageBuilder.Keys;
using Appliance.UpdateClient.Publish;

namespace Appliance.ImageBuilder.Publish;

/// <summary>The verb <c>appliance publish</c>.</summary>
internal static class PublishCommand
{
    private const int LongestNotes = 64 << 10;

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var bundle = new Argument<string>("bundle") { Description = "The .bundle file of a build." };
        var repository = new Option<string>("--repo") { Description = "Folder of the repository; made when it is not there.", Required = true };
        var keys = new Option<string>("--keys") { Description = "Folder of the signing keys (see `appliance keys`).", Required = true };
        var channel = new Option<string>("--channel") { Description = "Channel to publish in.", DefaultValueFactory = _ => "stable" };
        var rollout = new Option<string?>("--rollout") { Description = "Share of the devices that may take it, e.g. 10% (default: all; of a published version, what it was)." };
        var keep = new Option<int?>("--keep") { Description = "Versions that stay in the channel; older ones leave it (default: all stay)." };
        var patches = new Option<int>("--patches") { Description = "Earlier versions that get a patch to this one.", DefaultValueFactory = _ => PublishOptions.DefaultPatches };
        var noChunks = new Option<bool>("--no-chunks") { Description = "Leave out the chunks, which serve devices of any earlier version." };
        var notes = new Option<string?>("--notes") { Description = "File that says what is new." };
        var level = new Option<int>("--level") { Description = "Compression level of the bundle, 1 to 22.", DefaultValueFactory = _ => PublishOptions.DefaultLevel };
        var passphrase = PassphraseOption.Create();
        var server = new FleetOptions();
        var json = new Option<bool>("--json") { Description = "One JSON event per line on standard output." };
        var command = new Command("publish", """
            Adds a bundle to a signed repository of static files, which any web server can host.

            Examples:
              appliance publish out/edge_1.1_amd64/edge_1.1_amd64.bundle --repo /srv/updates --keys keys
              appliance publish edge_1.1_amd64.bundle --repo /srv/updates --keys keys --channel beta --rollout 10% --notes news.md
              appliance publish edge_1.1_amd64.bundle --repo /srv/updates --keys keys --rollout 100%     only widens the rollout
              appliance publish edge_1.1_amd64.bundle --repo work --keys keys --server https://updates.example:8443 --key-file ci.key
                                                    into the repository of an update server; --repo is a working copy of what it needs
            """)
        { bundle, repository, keys, channel, rollout, keep, patches, noChunks, notes, level, passphrase, json };
        server.AddTo(command, json: false);
        command.SetAction(async (result, cancellationToken) =>
        {
            var options = new PublishOptions
            {
                Bundle = result.GetValue(bundle)!,
                Repository = result.GetValue(repository)!,
                Channel = result.GetValue(channel)!,
                Rollout = result.GetValue(rollout) is { } text ? ParseRollout(text) : null,
                Keep = result.GetValue(keep) is { } count ? Require(count, 1, 1000, "--keep") : null,
                Patches = Require(result.GetValue(patches), 0, 100, "--patches"),
                Chunks = !result.GetValue(noChunks),
                Notes = result.GetValue(notes) is { } file ? ReadNotes(file) : null,
                Level = Require(result.GetValue(level), 1, 22, "--level"),
            };
            var folder = KeyFolder.Open(result.GetValue(keys)!, PassphraseOption.Reader(result.GetValue(passphrase)));
            PublishResult published;
            using (var observer = BuildObservers.For(result.GetValue(json)))
            {
                using var client = server.IsNamed(result) ? server.Open(result) : null;
                var remote = client is null ? null : new ServerRepository(client, options.Repository, folder.ReadRoot());
                if (remote is not null) await remote.PullAsync(cancellationToken);
                using var metadata = TufRepositoryWriter.Open(options.Repository, folder);
                if (remote is not null) await remote.PullReleasesAsync(metadata, cancellationToken);
                published = await new Publication(options, metadata, remote?.Folder ?? new RepositoryFolder(options.Repository), observer, remote).RunAsync(cancellationToken);
            }
            Report(options, published, result.GetValue(json));
            return 0;
        });
        return command;
    }

    /// <summary>A share of the devices: <c>10%</c> or <c>10</c>.</summary>
    internal static int ParseRollout(string text) =>
        int.TryParse(text.EndsWith('%') ? text[..^1] : text, out var percent) && percent is >= 0 and <= 100 ? percent : throw new UserError($"--rollout {text} is no share of the devices.", "Example: --rollout 10%");

    private static int Require(int value, int least, int most, string option) =>
        value >= least && value <= most ? value : throw new UserError($"{option} {value} is out of bounds.", $"It can be {least} to {most}.");

    private static string ReadNotes(string file)
    {
        var info = new FileInfo(file);
        if (!info.Exists) throw new UserError($"There is no file {file}.", "Name the file with the notes.");
        if (info.Length > LongestNotes) throw new UserError($"{file} has {ByteSize.Format(info.Length)}; notes may have {ByteSize.Format(LongestNotes)}.", "Write less, or link to the rest.");
        return File.ReadAllText(file);
    }

    private static void Report(PublishOptions options, PublishResult published, bool json)
    {
        var (header, payloads) = (published.Release.Header, published.Release.Payloads);
        foreach (var warning in published.Warnings) Console.Error.WriteLine($"warning: {warning}");
        if (json)
        {
            var list = new JsonArray();
            foreach (var payload in payloads)
                list.Add((JsonNode)new JsonObject { ["name"] = payload.Name, ["size"] = payload.Size, ["chunkData"] = payload.Chunks?.Data.Size, ["chunkIndex"] = payload.Chunks?.Index.Size, ["patches"] = Patches(payload) });
            Console.WriteLine(new JsonObject
            {
                ["event"] = "done",
                ["id"] = header.Id,
                ["version"] = header.Version,
                ["channel"] = options.Channel,
                ["rollout"] = published.Rollout,
                ["changed"] = published.Changed,
                ["bundle"] = published.Release.Bundle.Size,
                ["payloads"] = list,
                ["dropped"] = new JsonArray([.. published.Dropped.Select(version => JsonValue.Create(version))]),
                ["freed"] = published.FreedBytes,
            }.ToJsonString());
            return;
        }
        Console.WriteLine();
        Console.WriteLine(!published.Changed ? $"{header.Id} {header.Version} is in {options.Channel} already, for {published.Rollout} % of the devices."
            : published.WasPresent ? $"{header.Id} {header.Version} in {options.Channel} is now for {published.Rollout} % of the devices."
            : $"Published {header.Id} {header.Version} in {options.Channel}, for {published.Rollout} % of the devices. Bundle: {ByteSize.Format(published.Release.Bundle.Size)}");
        foreach (var payload in payloads)
            foreach (var patch in payload.Patches)
                Console.WriteLine($"  {payload.Name} from {patch.FromVersion}: {ByteSize.Format(patch.Patch.Size)}");
        if (published.Dropped.Count > 0) Console.WriteLine($"  no longer offered: {string.Join(", ", published.Dropped)}");
        if (published.FreedBytes > 0) Console.WriteLine($"  freed: {ByteSize.Format(published.FreedBytes)}");
    }

    private static JsonArray Patches(ReleasePayload payload)
    {
        var patches = new JsonArray();
        foreach (var patch in payload.Patches) patches.Add((JsonNode)new JsonObject { ["from"] = patch.FromVersion, ["size"] = patch.Patch.Size });
        return patches;
    }
}
