using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Core.Yaml;

namespace Appliance.Core.Health;

/// <summary>The form of health declarations, the same in an image definition and in the files of a device.</summary>
internal static class HealthShapes
{
    private const int MostChecks = 100;

    /// <summary>Names of the checks that every device has.</summary>
    private static readonly string[] BuiltIn = ["systemd", "data", "page", "network", "settings", "state", HealthCheck.Releases.Name];

    /// <summary>The keys that say what a check looks at; exactly one must be there.</summary>
    private static readonly string[] Kinds = ["unit", "http", "tcp", "command", "disk", "timeSync", "updateServer", "node", "workloads"];

    private static readonly Shape Yes = new ValueShape("true", text => text == "true" ? true : null, () => new JsonObject { ["const"] = true });

    private static readonly Shape Disk = new MappingShape("a mapping with path and free",
        [
            new("path", new TextShape("an absolute path", @"/[^\x00-\x1f]*"), "A path on the file system.", null),
            new("free", new ValueShape("a size such as 500MiB or a part of 1% to 99%", ParseRoom, () => new JsonObject { ["type"] = new JsonArray("string", "integer"), ["pattern"] = "^([0-9]+ ?([KMGT]iB|B)?|[0-9]{1,2}%)$" }), "What must be free of it.", null),
        ],
        bag => bag.Get<DiskRequirement>("free") with { Path = bag.Get<string>("path") });

    /// <summary>One check.</summary>
    public static readonly MappingShape Check = new($"a mapping with name and one of {string.Join(", ", Kinds[..^1])} and {Kinds[^1]}",
        [
            new("name", new TextShape("a name of letters, digits, dots and dashes that no built-in check has", "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name => !BuiltIn.Contains(name)), "Unique name.", null),
            new("unit", CommonShapes.Unit, "A systemd unit that must be active.", ""),
            new("http", new TextShape("an http or https URL", @"https?://[!-~]+", text => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Host.Length > 0), "A URL that must answer with a 2xx status.", ""),
            new("tcp", new TextShape("host:port", @"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}", text => int.Parse(text[(text.LastIndexOf(':') + 1)..], CultureInfo.InvariantCulture) is > 0 and < 65536), "A host:port that must accept a connection.", ""),
            new("command", new ListShape<string>(new TextShape("a program or argument", @"[^\x00-\x1f]+"), "a list: an absolute path and its arguments", distinct: false), "A program that must exit with 0, run as the supervisor's unprivileged user.", ""),
            new("disk", Disk, "A file system that must have room.", ""),
            new("timeSync", Yes, "The clock must have been set from the network.", ""),
            new("updateServer", Yes, "The update repository must answer.", ""),
            new("node", Yes, "The workload engine's node must be ready.", ""),
            new("workloads", Yes, "The workload engine must run and none of its workloads may have failed.", ""),
            new("timeout", CommonShapes.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)), "Longest time one attempt may take. Default: 1min for `node` and `workloads`, 10s for the others.", ""),
            new("interval", CommonShapes.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)), "Pause between two attempts. Default: 5s for `http`, `tcp` and `command`, 5min for `updateServer`, 1min for the others (units are followed besides).", ""),
            new("successes", CommonShapes.Number(1, 100), "Attempts in a row that must succeed before the check passes.", "1"),
            new("failures", CommonShapes.Number(1, 100), "Attempts in a row that must fail before a check that passed fails.", "1"),
            new("severity", ValueShape.Choice(("gate", true), ("warn", false)), "`gate` keeps the boot from being called good; `warn` only reports (but on trial, what passed before the update must pass). Default: `warn` for `timeSync` and `updateServer`, `gate` for the others.", ""),
        ],
        CreateCheck);

    /// <summary>The keys of a declaration.</summary>
    public static readonly MappingShape Declaration = new("a mapping with timeout, stabilisation and checks",
        [
            new("timeout", CommonShapes.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)), "Time from the supervisor's start within which all gating checks must pass.", "5min"),
            new("stabilisation", CommonShapes.Duration(TimeSpan.Zero, TimeSpan.FromHours(1)), "How long all gating checks must have passed without a break before the boot counts as good.", "30s"),
            new("checks", new ListShape<HealthCheck>(Check, "a list of health checks", MostChecks), "Checks beside the built-in ones.", "[]"),
        ],
        CreateDeclaration);

    private static HealthCheck CreateCheck(Bag bag)
    {
        var given = Kinds.Where(bag.Has).ToList();
        if (given.Count != 1) throw bag.Error(given.Count == 0 ? null : given[1], $"a check needs exactly one of {string.Join(", ", Kinds)}; found {(given.Count == 0 ? "none" : string.Join(" and ", given))}");
        if (bag.Has("command") && (bag.List<string>("command") is not [var program, ..] || !program.StartsWith('/')))
            throw bag.Error("command", "the program must be given with its absolute path");
        var check = new HealthCheck
        {
            Name = bag.Get<string>("name"),
            Unit = bag.Get<string?>("unit", null),
            Http = bag.Get<string?>("http", null),
            Tcp = bag.Get<string?>("tcp", null),
            Command = bag.Get<IReadOnlyList<string>?>("command", null),
            Disk = bag.Get<DiskRequirement?>("disk", null),
            TimeSync = bag.Has("timeSync"),
            UpdateServer = bag.Has("updateServer"),
            Node = bag.Has("node"),
            Workloads = bag.Has("workloads"),
            Successes = bag.Get("successes", 1),
            Failures = bag.Get("failures", 1),
        };
        // What depends on others' machines is no reason by itself to call a boot bad.
        return check with { Timeout = bag.Get("timeout", UsualTimeout(check.Kind)), Interval = bag.Get("interval", UsualInterval(check.Kind)), Gate = bag.Get("severity", check.Kind is not (HealthCheckKind.TimeSync or HealthCheckKind.UpdateServer)) };
    }

    private static TimeSpan UsualTimeout(HealthCheckKind kind) => kind is HealthCheckKind.Node or HealthCheckKind.Workloads ? HealthCheck.Releases.Timeout : TimeSpan.FromSeconds(10);

    private static TimeSpan UsualInterval(HealthCheckKind kind) => kind switch
    {
        HealthCheckKind.Http or HealthCheckKind.Tcp or HealthCheckKind.Command => TimeSpan.FromSeconds(5),
        HealthCheckKind.UpdateServer => TimeSpan.FromMinutes(5),
        _ => TimeSpan.FromMinutes(1),
    };

    private static HealthDeclaration CreateDeclaration(Bag bag)
    {
        var checks = bag.List<HealthCheck>("checks");
        for (var i = 0; i < checks.Count; i++)
            if (checks.Take(i).Any(check => check.Name == checks[i].Name)) throw bag.ErrorAt("checks", i, $"a check is called {checks[i].Name} already");
        return new HealthDeclaration(bag.Get<TimeSpan?>("timeout", null), bag.Get<TimeSpan?>("stabilisation", null), checks, bag);
    }

    private static DiskRequirement? ParseRoom(string text)
    {
        if (text.EndsWith('%')) return int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var percent) && percent is > 0 and < 100 ? new DiskRequirement("", null, percent) : null;
        return ByteSize.TryParse(text, out var bytes) && bytes > 0 ? new DiskRequirement("", bytes, null) : null;
    }
}
