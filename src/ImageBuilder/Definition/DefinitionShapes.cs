using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Telemetry;
using Appliance.Core.Yaml;

namespace Appliance.ImageBuilder.Definition;

/// <summary>The small shapes that definition, board and engine files are made of.</summary>
internal static class DefinitionShapes
{
    private const long MiB = 1L << 20;

    /// <summary>The builder alone says which root is booted.</summary>
    private static readonly string[] OwnArguments = ["roothash", "root", "rootfstype", "systemd.verity", "initrd"];

    public static readonly Shape Package = new TextShape("a Debian package name such as openssh-server", "[a-z0-9][a-z0-9+.-]+", longest: 128);
    public static readonly Shape Packages = new ListShape<string>(Package, "a list of Debian package names");
    public static readonly Shape PackagePatterns = new ListShape<string>(new TextShape("the name of a Debian package, or a pattern such as linux-*", "[a-z0-9][a-z0-9+.*-]*", longest: 128), "a list of Debian packages' names and patterns");
    public static readonly Shape Units = new ListShape<string>(CommonShapes.Unit, "a list of systemd units");
    public static readonly Shape Folder = new TextShape("the path of a folder", @"[^\x00-\x1f]+");
    public static readonly Shape Folders = new ListShape<string>(Folder, "a list of folders");
    public static readonly Shape File = new TextShape("the path of a file", @"[^\x00-\x1f]+");
    public static readonly Shape KernelArgument = new TextShape("one kernel argument such as console=ttyS0,115200", @"[!-~]+", text => !IsOwnArgument(text), 256);
    public static readonly Shape KernelArguments = new ListShape<string>(KernelArgument, "a list of kernel arguments");
    public static readonly Shape Words = new ListShape<string>(new TextShape("a name", @"[A-Za-z0-9_.+/-]+", longest: 128), "a list of names");
    public static readonly Shape EtcPaths = new ListShape<string>(
        new TextShape("a path below /etc such as /etc/machine-id", @"/etc(/[A-Za-z0-9@_.+-]+)+", text => !text.Split('/').Any(part => part is "." or ".."), 256), "a list of paths below /etc");
    public static readonly Shape StatePaths = new ListShape<string>(
        new TextShape("a path below /var or /etc such as /var/lib/rancher/k3s/server", @"/(var|etc)(/[A-Za-z0-9@_.+-]+)+", text => !text.Split('/').Any(part => part is "." or "..") && !Core.Images.StatePaths.IsTheSupervisors(text), 256), "a list of paths below /var and /etc, none of them the supervisor's own");
    public static readonly Shape Architecture = ValueShape.Choice(("amd64", "amd64"), ("arm64", "arm64"));

    /// <summary>The words of syslog's severities (RFC 5424, 6.2.1).</summary>
    public static readonly (string, int)[] Priorities = [("emergency", 0), ("alert", 1), ("critical", 2), ("error", 3), ("warning", 4), ("notice", 5), ("info", 6), ("debug", 7)];

    public static readonly Shape LogRule = new MappingShape("a mapping with unit, priority and share",
        [
            new("unit", CommonShapes.Unit, "The unit whose lines fall under the rule; without it, every line.", ""),
            new("priority", ValueShape.Choice(Priorities), "The least important that is forwarded.", "notice"),
            new("share", new ValueShape("a part of 1% to 100%", text => text.EndsWith('%') && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var percent) && percent is >= 1 and <= 100 ? percent : null, () => new JsonObject { ["type"] = "string", ["pattern"] = "^[0-9]{1,3}%$" }), "How many of these lines are forwarded, drawn at random.", "100%"),
        ],
        bag => new LogRule { Unit = bag.Get<string?>("unit", null), Priority = bag.Get("priority", 5), Share = bag.Get("share", 100) });

    public static Shape Size(long least) => new ValueShape(
        $"a size of {ByteSize.Format(least).Replace(" ", "", StringComparison.Ordinal)} to 1TiB in whole MiB, e.g. 512MiB",
        text => ByteSize.TryParse(text, out var bytes) && bytes >= least && bytes <= 1L << 40 && bytes % MiB == 0 ? bytes : null,
        () => new JsonObject { ["type"] = new JsonArray("string", "integer"), ["pattern"] = "^[0-9]+ ?([KMGT]iB|B)?$" });

    public static readonly Shape Rate = new ValueShape(
        "a size of 1KiB to 1TiB, e.g. 512KiB",
        text => ByteSize.TryParse(text, out var bytes) && bytes is >= 1 << 10 and <= 1L << 40 ? bytes : null,
        () => new JsonObject { ["type"] = new JsonArray("string", "integer"), ["pattern"] = "^[0-9]+ ?([KMGT]iB|B)?$" });

    public static readonly Shape User = new MappingShape("a mapping with name, groups, sshKeys and passwordHash",
        [
            new("name", CommonShapes.LogInName, "Login name.", null),
            new("groups", Words, "Supplementary groups, e.g. `appliance`, which may talk to the supervisor.", "[]"),
            new("sshKeys", CommonShapes.SshKeys, "Public keys. Any key brings in the SSH server, which accepts nothing but keys.", "[]"),
            new("passwordHash", new TextShape("a crypt(5) hash such as `mkpasswd` prints, e.g. $y$… or $6$…", @"\$(y|6|5|2b)\$[./A-Za-z0-9$=,]+", longest: 256), "Password for the console, as a crypt(5) hash (`mkpasswd` makes one); without it nobody can log in there.", ""),
        ],
        bag => new UserDefinition { Name = bag.Get<string>("name"), Groups = bag.List<string>("groups"), SshKeys = bag.List<string>("sshKeys"), PasswordHash = bag.Get<string?>("passwordHash", null) });

    private static bool IsOwnArgument(string text) =>
        OwnArguments.Any(name => text == name || text.StartsWith(name + "=", StringComparison.Ordinal)) || text.Count(c => c == '"') % 2 != 0;
}
