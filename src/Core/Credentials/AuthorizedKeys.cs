using System.Text;
using Appliance.Core.Yaml;

namespace Appliance.Core.Credentials;

/// <summary>Who may log in over SSH, with which keys: a list in YAML, behind which stands an SSH signature (PROTOCOL.sshsig of OpenSSH) of it.</summary>
public sealed record AuthorizedKeys
{
    /// <summary>What the signature is for (<c>ssh-keygen -n</c>): one that was made for something else does not count.</summary>
    public const string Purpose = "authorized-keys@appliance";

    private const int MostUsers = 100;
    private static readonly byte[] SignatureBegin = "-----BEGIN SSH SIGNATURE-----"u8.ToArray();

    /// <summary>Somebody and their keys.</summary>
    internal static readonly MappingShape User = new("a mapping with name and sshKeys",
        [
            new("name", CommonShapes.LogInName, "Login name.", null),
            new("sshKeys", CommonShapes.SshKeys, "Public keys.", null),
        ],
        bag => new AuthorizedUser(bag.Get<string>("name"), bag.List<string>("sshKeys")));

    private static readonly MappingShape Form = new("a mapping with serial, until and users",
        [
            new("serial", CommonShapes.Number(1, int.MaxValue), "Number of the list; the next one has a higher one.", null),
            new("until", CommonShapes.Date, "After this it is taken by no device any more.", ""),
            new("users", new ListShape<AuthorizedUser>(User, "a list of users", MostUsers), "Whose keys are these and not those of the image.", null),
        ],
        bag => bag.List<AuthorizedUser>("users").GroupBy(user => user.Name).FirstOrDefault(group => group.Count() > 1) is { } twice
            ? throw bag.Error("users", $"{twice.Key} stands in the list twice")
            : new AuthorizedKeys { Serial = bag.Get<int>("serial"), Until = bag.Has("until") ? bag.Get<DateTimeOffset>("until") : null, Users = bag.List<AuthorizedUser>("users") });

    /// <summary>Number of the list.</summary>
    public required int Serial { get; init; }

    /// <summary>After this no device takes it any more; null for never.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Whose keys these are; everybody else's are those of the image.</summary>
    public required IReadOnlyList<AuthorizedUser> Users { get; init; }

    /// <summary>Reads the list itself.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static AuthorizedKeys Parse(ReadOnlySpan<byte> text) => (AuthorizedKeys)Form.Parse("the list", Encoding.UTF8.GetString(text));

    /// <summary>Parts a signed list into what was signed and the signature.</summary>
    /// <exception cref="UserError">It has no signature.</exception>
    public static (byte[] Text, byte[] Signature) Split(ReadOnlySpan<byte> content)
    {
        var at = content.LastIndexOf(SignatureBegin);
        if (at < 0) throw new UserError("The list is not signed.", $"ssh-keygen -Y sign -f KEY -n {Purpose} keys.yaml; cat keys.yaml keys.yaml.sig >keys.signed");
        return (content[..at].ToArray(), content[at..].ToArray());
    }
}

/// <summary>Somebody and their keys.</summary>
/// <param name="Name">Login name.</param>
/// <param name="SshKeys">All keys by which they log in, in OpenSSH form; without any they do not.</param>
public sealed record AuthorizedUser(string Name, IReadOnlyList<string> SshKeys)
{
    /// <summary>The keys as a file that sshd reads, a line each.</summary>
    public string ToFile() => string.Concat(SshKeys.Select(key => key + "\n"));
}
