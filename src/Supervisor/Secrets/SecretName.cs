using Appliance.Core;

namespace Appliance.Supervisor.Secrets;

/// <summary>What a sealed secret is used for. All names begin alike: what others on the device have sealed with systemd-creds is no business of ours.</summary>
internal readonly record struct SecretName
{
    private const string Prefix = "appliance.";
    private const int Longest = 64;

    private readonly string? _text;

    private SecretName(string text) => _text = text;

    /// <summary>By what the device is known to its fleet's server.</summary>
    public static SecretName Fleet { get; } = Parse(Prefix + "fleet");

    /// <summary>Checks a name.</summary>
    /// <exception cref="UserError">It is none of ours.</exception>
    public static SecretName Parse(string text) =>
        text.StartsWith(Prefix, StringComparison.Ordinal) && text.Length > Prefix.Length && text.Length <= Longest && text.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter is '.' or '-') ? new(text)
            : throw new UserError($"Secrets are sealed under names that begin with {Prefix}, of at most {Longest} small letters, digits, dots and dashes.");

    /// <inheritdoc/>
    public override string ToString() => _text ?? "";
}
