using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Core.Credentials;
using Appliance.Core.Yaml;

namespace Appliance.ImageBuilder.Definition;

/// <summary>How a definition says which credentials the supervisor looks after beside its own.</summary>
internal static class CredentialShapes
{
    private const int LongestAge = 3650;

    private static readonly Shape Days = new ValueShape(
        "a number of days such as 90d",
        text => text.EndsWith('d') && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var days) && days is >= 1 and <= LongestAge ? TimeSpan.FromDays(days) : null,
        () => new JsonObject { ["type"] = "string", ["pattern"] = "^[0-9]{1,4}d$" });

    private static readonly Shape Program = new TextShape("an absolute path of a program such as /usr/lib/edge/new-key", "/[!-~]+", text => !text.Contains("/..", StringComparison.Ordinal));

    /// <summary>The section.</summary>
    public static readonly Shape Section = new MappingShape("a mapping with files, sshSigners and password",
        [
            new("files", new ListShape<CredentialFile>(File(), "a list of files", 50), "Files with secrets, each with how a new one is made, tried and taken up.", "[]"),
            new("sshSigners", CommonShapes.SshKeys, "Public keys of those who may sign a [list of people's SSH keys](credentials.md#keys-of-people), which stands above `users[].sshKeys`. Any brings in the SSH server.", "[]"),
            new("password", Days, "After so long the owner's password is good for setting the next one, and for nothing else.", ""),
        ],
        bag => new CredentialSettings { Files = bag.List<CredentialFile>("files"), SshSigners = bag.List<string>("sshSigners"), Password = bag.Has("password") ? bag.Get<TimeSpan>("password") : null });

    private static MappingShape File()
    {
        var defaults = new CredentialFile();
        return new MappingShape("a mapping with name, path, mode, make, prove, reload, check, within, every and grace",
            [
                new("name", new TextShape("a name such as wireguard, none of the supervisor's own", "[a-z0-9][a-z0-9.-]{0,63}", text => !CredentialNames.Reserved.Contains(text)), "What the credential is called.", null),
                new("path", new TextShape("an absolute path on the data partition such as /var/lib/edge/key", "/[!-~]+", text => (text.StartsWith("/var/", StringComparison.Ordinal) || text.StartsWith("/etc/", StringComparison.Ordinal)) && !text.Contains("/..", StringComparison.Ordinal)), "Where the file is: below /var, or below what `persist` keeps of /etc.", null),
                new("mode", new TextShape("an octal mode such as 0600", "0[0-7]{3}"), "Its mode. Without it, that of the file which is there, or 0600; owner and group are kept, too.", ""),
                new("make", Program, "A program that writes a new one to the file that `APPLIANCE_NEW` names. Without it, somebody brings the new one.", ""),
                new("prove", Program, "A program that ends with 0 when the new one (`APPLIANCE_NEW`) works, before it takes the old one's place.", ""),
                new("reload", CommonShapes.Unit, "The unit that is reloaded (restarted where it cannot be) with the new one in its place.", ""),
                new("check", Program, "A program that ends with 0 when all works with the new one in its place (`APPLIANCE_PATH`).", ""),
                new("within", CommonShapes.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)), "How long `check` is tried before the old one comes back.", "2min"),
                new("every", Days, "After so long there is to be a new one; needs `make`. Without it, only when told.", ""),
                new("grace", Days, "How long the old one stays at hand.", "1d"),
            ],
            bag =>
            {
                if (bag.Has("every") && !bag.Has("make")) throw bag.Error("every", "nothing makes the new one; name a program in make, or leave it out");
                return new CredentialFile
                {
                    Name = bag.Get<string>("name"),
                    Path = bag.Get<string>("path"),
                    Mode = bag.Get<string?>("mode", null),
                    Make = bag.Get<string?>("make", null),
                    Prove = bag.Get<string?>("prove", null),
                    Reload = bag.Get<string?>("reload", null),
                    Check = bag.Get<string?>("check", null),
                    Within = bag.Get("within", defaults.Within),
                    Every = bag.Has("every") ? bag.Get<TimeSpan>("every") : null,
                    Grace = bag.Get("grace", defaults.Grace),
                };
            });
    }
}
