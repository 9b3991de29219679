using Appliance.Core;
using Appliance.Core.Access;
using Appliance.Core.Bundles;
using Appliance.Core.Credentials;
using Appliance.Core.Fleet;
using Appliance.Core.Health;
using Appliance.Core.Telemetry;
using Appliance.Core.Tuf;
using Appliance.Core.Updates;
using Appliance.Core.Yaml;
using Appliance.ImageBuilder.Workloads;

namespace Appliance.ImageBuilder.Definition;

/// <summary>The keys of an image definition, declared once for the reader, the JSON Schema and the docs.</summary>
internal static class ImageShape
{
    private const long MiB = 1L << 20;

    /// <summary>The shape of a whole <c>appliance.yaml</c>.</summary>
    /// <param name="lookUp">Resolves names of boards, engines and overlays.</param>
    public static MappingShape For(DefinitionLookup lookUp) => new("a mapping with at least id, version and board", Fields(), bag => Create(bag, lookUp));

    private static List<Field> Fields() =>
    [
        new("id", new TextShape("an id of lower-case letters, digits and dashes, at most 24", "[a-z][a-z0-9-]{0,23}"), "Names the product; part of file names, partition labels and os-release.", null),
        new("version", new TextShape("a version of letters, digits, dots, dashes, ~ and ^, at most 32 characters", "[0-9A-Za-z][0-9A-Za-z.~^-]{0,31}"), "Version of the image, ordered by the UAPI version format specification.", null),
        new("suite", new TextShape("a Debian suite such as trixie", "[a-z][a-z-]{2,30}"), "Debian suite of the root and of the build tools.", "trixie"),
        new("board", new TextShape("the name of a board file such as uefi-x86_64", "[a-z0-9][a-z0-9_-]*", longest: 64), "The machine: a file `boards/NAME.yaml`.", null),
        new("sourceDate", CommonShapes.Date, "Every time stamp in the image, and the earliest time a device believes its clock.", "2026-01-01"),
        new("hostname", CommonShapes.HostName, "Host name until the device is given another.", "appliance"),
        new("locale", new TextShape("a locale such as C.UTF-8 or de_DE.UTF-8", @"C|POSIX|C\.UTF-8|[a-z]{2,3}_[A-Z]{2}(@[a-z]+)?\.UTF-8"), "System locale.", "C.UTF-8"),
        new("timeZone", CommonShapes.TimeZone, "Time zone.", "UTC"),
        new("packages", new MappingShape("a mapping with add, remove and keepManager",
            [
                new("add", DefinitionShapes.Packages, "Packages beside the base's, the board's and the engine's.", "[]"),
                new("remove", DefinitionShapes.Packages, "Packages left out, or taken away again where others pull them in.", "[]"),
                new("keepManager", ValueShape.Boolean(), "Keeps apt and dpkg on the device. The root stays read-only all the same.", "false"),
            ], bag => bag), "Debian packages.", "{}"),
        new("overlays", DefinitionShapes.Folders, "File trees laid over the root in this order, owned by root.", "[]"),
        new("services", new MappingShape("a mapping with enable and disable",
            [
                new("enable", DefinitionShapes.Units, "Units started at boot.", "[]"),
                new("disable", DefinitionShapes.Units, "Units masked, so that nothing starts them.", "[]"),
            ], bag => bag), "systemd units.", "{}"),
        new("sizes", new MappingShape("a mapping with esp, slot and data",
            [
                new("esp", DefinitionShapes.Size(64 * MiB), "EFI system partition, which holds the kernel images of both slots; on a Raspberry Pi the boot partition of each slot.", "512MiB"),
                new("slot", DefinitionShapes.Size(128 * MiB), "Each of the two root partitions. It cannot be changed by an update: leave room to grow.", "2GiB"),
                new("data", DefinitionShapes.Size(64 * MiB), "Data partition in the image; it grows to the end of the disk at first boot.", "512MiB"),
            ], bag => new PartitionSizes
            {
                Esp = bag.Get("esp", 512 * MiB),
                Slot = bag.Get("slot", 2048 * MiB),
                Data = bag.Get("data", 512 * MiB),
            }), "Partition sizes.", "{}"),
        new("root", new MappingShape("a mapping with compression",
            [new("compression", ValueShape.Choice(("none", RootCompression.None), ("lz4hc", RootCompression.Lz4hc), ("zstd", RootCompression.Zstd)), "`none` makes updates 2 to 8 times smaller; the others make the root smaller.", "none")],
            bag => bag), "The root file system.", "{}"),
        new("kernel", new MappingShape("a mapping with arguments", [new("arguments", DefinitionShapes.KernelArguments, "Added after the board's.", "[]")], bag => bag), "The kernel.", "{}"),
        new("users", new ListShape<UserDefinition>(DefinitionShapes.User, "a list of users"), "People who may log in. Without any, nobody can.", "[]"),
        new("persist", DefinitionShapes.EtcPaths, "Paths below /etc kept on the data partition; everything else in /etc belongs to the image.", "[]"),
        new("state", DefinitionShapes.StatePaths, "Paths tied to the version, below /var or within `persist`: kept aside before a new version starts, and put back when the device goes back.", "[]"),
        new("workloads", new MappingShape("a mapping with engine, fallback, follow, include and signatures",
            [
                new("engine", EngineName(), "What runs the workloads: a file `engines/NAME.yaml`, or `none`.", "none"),
                new("fallback", EngineName(), "Baked in with a warning when the engine's binaries cannot be had; without it that is an error.", ""),
                new("follow", new ListShape<string>(new TextShape("the id of a workload such as shop", "[A-Za-z0-9][A-Za-z0-9._-]*", BundleRules.IsIdentifier), "a list of workloads' ids"), "Workloads that the device takes from its channel by itself; those that are here are followed anyway.", "[]"),
                new("include", DefinitionShapes.Folders, "Workloads (folders with a `workload.yaml`) whose releases the image brings: they are applied before a boot counts as good, and come and go with the image.", "[]"),
                new(SignatureRules.Key, SignatureRules.Shape, "Which container images the device runs: every one must fall under a rule. Without rules, those of any release.", "[]"),
            ], bag => bag), "The workload engine.", "{}"),
        new("health", HealthShapes.Declaration, "When a boot counts as good.", "{}"),
        new("updates", new MappingShape("a mapping with root, url, channel, check, install, reboot, drain, windows, rate, proxy and usb",
            [
                new("root", DefinitionShapes.File, "The TUF `root.json` the device trusts first, baked in. Without it the device takes no update.", ""),
                new("url", new TextShape("an http, https or file URL", @"(https?|file)://[!-~]+", IsRepository), "The repository the device asks. Without it updates are only pushed to it or brought on a stick.", ""),
                new("channel", new TextShape("the name of a channel such as stable", "[a-z0-9][a-z0-9-]{0,39}", ChannelName.IsValid), "The channel it follows.", "stable"),
                new("check", CommonShapes.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromDays(7)), "Pause between two looks into the repository, give or take a fifth.", "1h"),
                new("install", Automatic(), "Whether what a look finds is installed, or waits until somebody asks for it.", "automatic"),
                new("reboot", Automatic(), "Whether the device restarts into an installed version by itself, in a window, or waits until somebody does.", "automatic"),
                new("drain", CommonShapes.Duration(TimeSpan.Zero, TimeSpan.FromMinutes(30)), "Longest that a restart waits for the pods that it sends to other nodes of the cluster; `0s` sends none. A node that is alone keeps its pods.", "2min"),
                new("windows", new ListShape<string>(Window, "a list of times of the week"), "When the device may restart by itself, in its local time. None means at any time.", "[]"),
                new("rate", DefinitionShapes.Rate, "Most that a download may take, a second.", ""),
                new("proxy", new TextShape("an http URL such as http://proxy.example.net:3128", @"http://[!-~]+", IsProxy), "The proxy to the repository. Everybody on the device can read it, so it takes no password.", ""),
                new("usb", ValueShape.Boolean(), "Installs a signed bundle from a USB stick that is put in.", "false"),
            ], bag => bag), "Where updates come from.", "{}"),
        new("access", new MappingShape("a mapping with listen and clientAuthority",
            [
                new("listen", new TextShape("an address and port such as 192.0.2.7:443 or [::]:8443", @"([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}", text => AccessSettings.TryParse(text, out _)), "Where the status page listens: one of the device's addresses, which it may get later, or all of them.", "[::]:443"),
                new("clientAuthority", DefinitionShapes.File, "Certificates (PEM) of an authority whose client certificates log in on the status page without a password.", ""),
            ], bag => bag), "Who reaches the status page, and who may change things there beside whoever knows its password.", "{}"),
        new("telemetry", new MappingShape("a mapping with otlp, interval, spool and logs",
            [
                new("otlp", new TextShape("an http or https URL such as https://collector.example.net:4318", @"https?://[!-~]+", WebAddress.IsBase), "Base address of the OTLP/HTTP collector that metrics, logs and status reports go to.", null),
                new("interval", CommonShapes.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)), "Pause between two reports of metrics.", "1min"),
                new("spool", DefinitionShapes.Size(MiB), "Most that waits on the data partition while the collector cannot be reached; beyond that the oldest go.", "32MiB"),
                new("logs", new ListShape<LogRule>(DefinitionShapes.LogRule, "a list of rules", 100), "Which lines of the journal are forwarded: the first rule that a line falls under decides; without one it stays. Default: everything from `notice` on.", ""),
            ], CreateTelemetry), "Where the device reports to.", ""),
        new("fleet", new MappingShape("a mapping with server, tenant, trust, poll, log and proxy",
            [
                new("server", CommonShapes.FleetServer, "Address of the update server: ours, or another that speaks Eclipse hawkBit's DDI.", null),
                new("tenant", CommonShapes.Tenant, "The tenant on a server that has several.", "default"),
                new("trust", DefinitionShapes.File, "Certificates (PEM) that the server's certificate is trusted by: its authority, or itself. Without it, those of the system.", ""),
                new("poll", CommonShapes.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)), "Pause between two questions to a server that does not say how often it wants to be asked.", "5min"),
                new("log", ValueShape.Choice([("none", -1), .. DefinitionShapes.Priorities]), "The least important lines of the journal that the server gets.", "warning"),
                new("proxy", new TextShape("an http URL such as http://proxy.example.net:3128", @"http://[!-~]+", IsProxy), "The proxy to the server. Everybody on the device can read it, so it takes no password.", ""),
            ], bag => bag), "The update server that the device belongs to, once it has joined.", ""),
        new("credentials", CredentialShapes.Section, "Secrets that the supervisor changes beside its own.", ""),
    ];

    private static readonly TimeSpan TimeoutWithReleases = TimeSpan.FromMinutes(15);

    private static readonly Shape Window = new TextShape("a time of the week such as 02:00-04:00 or Mon-Fri 22:00-05:30", "((Mon|Tue|Wed|Thu|Fri|Sat|Sun)([,-](Mon|Tue|Wed|Thu|Fri|Sat|Sun))* )?[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]", text => MaintenanceWindow.TryParse(text) is not null, 64);

    private static ValueShape Automatic() => ValueShape.Choice(("automatic", true), ("manual", false));

    private static TextShape EngineName() => new("the name of an engine file such as k3s or podman, or none", "[a-z0-9][a-z0-9_-]*", longest: 64);

    /// <summary>Files of the repository are looked up below the URL, so nothing may follow its path.</summary>
    private static bool IsRepository(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && (uri.IsFile ? uri.IsLoopback && uri.AbsolutePath.Length > 1 : uri.Host.Length > 0) && uri.Query.Length == 0 && uri.Fragment.Length == 0;

    private static bool IsProxy(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri is { Host.Length: > 0, AbsolutePath: "/", UserInfo: "", Query: "", Fragment: "" };

    private static UpdateDefinition? CreateUpdates(Bag? bag, Bag? workloads, DefinitionLookup lookUp)
    {
        var follow = workloads?.List<string>("follow") ?? [];
        if (follow.Count > 0 && bag?.Has("url") != true) throw workloads!.ErrorAt("follow", 0, "there is no repository that it could come from; name one in updates.url, or leave it out");
        if (follow.Count > 0 && workloads!.Get("engine", "none") == "none") throw workloads.ErrorAt("follow", 0, "there is no workload engine to run it; name one in workloads.engine, or leave it out");
        if (bag is null) return null;
        if (bag.Has("url") && !bag.Has("root")) throw bag.Error("url", "there is a repository but no root, and a device takes nothing that it cannot verify; name the repository's root.json in updates.root");
        UserError AtRoot(string problem) => bag.Error("root", problem);
        var root = bag.Get<string?>("root", null) is { } path ? TrustedRoot.Read(lookUp.File(path, AtRoot), AtRoot) : null;
        return new UpdateDefinition(new UpdateSettings
        {
            Url = bag.Get<string?>("url", null),
            Channel = bag.Get("channel", "stable"),
            Check = bag.Get("check", TimeSpan.FromHours(1)),
            Install = bag.Get("install", true),
            Reboot = bag.Get("reboot", true),
            Drain = bag.Get("drain", TimeSpan.FromMinutes(2)),
            Windows = bag.List<string>("windows"),
            BytesPerSecond = bag.Get<long?>("rate", null),
            Proxy = bag.Get<string?>("proxy", null),
            Usb = bag.Get("usb", false),
            Workloads = follow,
        }, root);
    }

    private static string? ReadClientAuthority(Bag? bag, DefinitionLookup lookUp)
    {
        UserError AtFile(string problem) => bag.Error("clientAuthority", problem);
        return bag?.Get<string?>("clientAuthority", null) is { } path ? CertificateFile.Read(lookUp.File(path, AtFile), "the client authority", pem => ClientAuthority.Parse(pem), AtFile) : null;
    }

    private static TelemetrySettings CreateTelemetry(Bag bag)
    {
        var settings = new TelemetrySettings { Otlp = bag.Get<string>("otlp") };
        return settings with
        {
            Interval = bag.Get("interval", settings.Interval),
            Spool = bag.Get("spool", settings.Spool),
            Logs = bag.Has("logs") ? bag.List<LogRule>("logs") : settings.Logs,
        };
    }

    private static FleetDefinition? CreateFleet(Bag? bag, DefinitionLookup lookUp)
    {
        if (bag is null) return null;
        UserError AtTrust(string problem) => bag.Error("trust", problem);
        var settings = new FleetSettings { Server = bag.Get<string>("server") };
        return new FleetDefinition(settings with
        {
            Tenant = bag.Get("tenant", settings.Tenant),
            Poll = bag.Get("poll", settings.Poll),
            Log = bag.Get("log", settings.Log),
            Proxy = bag.Get<string?>("proxy", null),
        }, bag.Get<string?>("trust", null) is { } path ? CertificateFile.Read(lookUp.File(path, AtTrust), "the fleet's trust", pem => ServerTrust.Parse(pem), AtTrust) : null);
    }

    /// <summary>A release that must be imported, applied and proven takes longer than services do.</summary>
    private static HealthSettings CreateHealth(HealthDeclaration? health, bool hasEngine, bool hasReleases)
    {
        var settings = CreateHealth(health, hasEngine);
        return hasReleases && health?.Timeout is null ? settings with { Timeout = TimeoutWithReleases } : settings;
    }

    private static HealthSettings CreateHealth(HealthDeclaration? health, bool hasEngine)
    {
        if (health is null) return new HealthSettings();
        var needing = health.Checks.ToList().FindIndex(check => check.Node || check.Workloads);
        if (needing >= 0 && !hasEngine) throw health.Bag.ErrorAt("checks", needing, "there is no workload engine to ask; name one in workloads.engine, or leave the check out");
        return health.Alone();
    }

    /// <summary>The folders of the workloads that the image brings.</summary>
    private static List<string> ReadIncluded(Bag? bag, BoardDefinition board, IReadOnlyList<string> disabled, DefinitionLookup lookUp)
    {
        var named = bag?.List<string>("include") ?? [];
        var (folders, ids) = (new List<string>(), new List<string>());
        for (var i = 0; i < named.Count; i++)
        {
            UserError At(string problem) => bag!.ErrorAt("include", i, problem);
            if (disabled.Contains("k3s.service")) throw At("k3s.service is disabled, and a node without a control plane has nothing to apply it to; leave out one of the two");
            if (bag!.Get("engine", "none") == "none") throw At("there is no workload engine to run it; name one in workloads.engine, or leave it out");
            var folder = lookUp.Folder(named[i], At);
            var workload = WorkloadDefinition.Read(folder);
            if (workload.Architecture != board.Architecture) throw At($"its images are for {workload.Architecture}, and the board is {board.Architecture}; set architecture in its workload.yaml");
            if (ids.Contains(workload.Id)) throw At($"a workload {workload.Id} is named already");
            if (bag.List<string>("follow").Contains(workload.Id)) throw At($"{workload.Id} is followed, too; it comes either with the image or from the channel");
            folders.Add(folder);
            ids.Add(workload.Id);
        }
        return folders;
    }

    /// <summary>The key <c>state</c>: what is below /etc must be persisted, for the rest of /etc changes with the image anyway.</summary>
    public static IReadOnlyList<string> CreateState(Bag bag, IReadOnlyList<string> persisted)
    {
        var state = bag.List<string>("state");
        for (var i = 0; i < state.Count; i++)
        {
            if (state.FirstOrDefault(other => state[i].StartsWith(other + "/", StringComparison.Ordinal)) is { } outer) throw bag.ErrorAt("state", i, $"lies within {outer}, which is named already");
            if (state[i].StartsWith("/etc/", StringComparison.Ordinal) && !persisted.Any(path => state[i] == path || state[i].StartsWith(path + "/", StringComparison.Ordinal)))
                throw bag.ErrorAt("state", i, $"{state[i]} is not within a path of persist, so it belongs to the image and goes back with it anyway");
        }
        return state;
    }

    private static ImageDefinition Create(Bag bag, DefinitionLookup lookUp)
    {
        var (id, version) = (bag.Get<string>("id"), bag.Get<string>("version"));
        if (id.Length + 1 + version.Length > 36) throw bag.Error("version", $"{id}_{version} is the label of a partition, which holds 36 characters");
        var persisted = bag.List<string>("persist");
        for (var i = 0; i < persisted.Count; i++)
            if (persisted.FirstOrDefault(other => persisted[i].StartsWith(other + "/", StringComparison.Ordinal)) is { } outer) throw bag.ErrorAt("persist", i, $"lies within {outer}, which is kept already");
        var users = bag.List<UserDefinition>("users");
        for (var i = 0; i < users.Count; i++)
            if (users.Take(i).Any(user => user.Name == users[i].Name)) throw bag.ErrorAt("users", i, $"there is a user {users[i].Name} already");

        var packages = bag.Get<Bag?>("packages", null);
        var services = bag.Get<Bag?>("services", null);
        var access = bag.Get<Bag?>("access", null);
        var workloads = bag.Get<Bag?>("workloads", null);
        var engine = lookUp.Engine(workloads?.Get("engine", "none") ?? "none", problem => workloads!.Error("engine", problem));
        var fallback = lookUp.Engine(workloads?.Get("fallback", "none") ?? "none", problem => workloads!.Error("fallback", problem));
        var board = lookUp.Board(bag.Get<string>("board"), problem => bag.Error("board", problem));
        var included = ReadIncluded(workloads, board, services?.List<string>("disable") ?? [], lookUp);
        return new ImageDefinition
        {
            Folder = lookUp.DefinitionFolder,
            Id = id,
            Version = version,
            Suite = bag.Get("suite", "trixie"),
            Board = board,
            SourceDate = bag.Get("sourceDate", new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)),
            Hostname = bag.Get("hostname", "appliance"),
            Locale = bag.Get("locale", "C.UTF-8"),
            TimeZone = bag.Get("timeZone", "UTC"),
            PackagesAdd = packages?.List<string>("add") ?? [],
            PackagesRemove = packages?.List<string>("remove") ?? [],
            KeepPackageManager = packages?.Get("keepManager", false) ?? false,
            Overlays = bag.List<string>("overlays").Select((overlay, index) => lookUp.Folder(overlay, problem => bag.ErrorAt("overlays", index, problem))).ToList(),
            ServicesEnable = services?.List<string>("enable") ?? [],
            ServicesDisable = services?.List<string>("disable") ?? [],
            Sizes = bag.Get("sizes", new PartitionSizes()),
            Compression = bag.Get<Bag?>("root", null)?.Get("compression", RootCompression.None) ?? RootCompression.None,
            KernelArguments = bag.Get<Bag?>("kernel", null)?.List<string>("arguments") ?? [],
            Users = users,
            PersistedEtc = persisted,
            State = CreateState(bag, [.. persisted, .. engine?.PersistedEtc ?? [], .. fallback?.PersistedEtc ?? []]),
            Workloads = new() { Engine = engine, Fallback = fallback, Include = included, Signatures = workloads is null ? [] : SignatureRules.Read(workloads, lookUp.File) },
            Health = CreateHealth(bag.Get<HealthDeclaration?>("health", null), hasEngine: engine is not null, included.Count > 0),
            Updates = CreateUpdates(bag.Get<Bag?>("updates", null), workloads, lookUp),
            Listen = access?.Get<string?>("listen", null),
            ClientAuthority = ReadClientAuthority(access, lookUp),
            Telemetry = bag.Get<TelemetrySettings?>("telemetry", null),
            Fleet = CreateFleet(bag.Get<Bag?>("fleet", null), lookUp),
            Credentials = bag.Get<CredentialSettings?>("credentials", null),
        };
    }
}
