namespace Appliance.Core.Tuf;

/// <summary>What a channel may be called: it is a role, part of file names, and a folder of targets.</summary>
public static class ChannelName
{
    /// <summary>True for lower-case letters, digits and hyphens, up to 40, not starting with a hyphen, and no top-level role's name.</summary>
    public static bool IsValid(string name) =>
        name.Length is > 0 and <= 40 && name[0] != '-' && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-') && !TufRole.TopLevel.Contains(name);

    /// <summary>Returns a valid name, or says why it is not.</summary>
    /// <exception cref="UserError">It is not valid.</exception>
    public static string Require(string name) => IsValid(name)
        ? name
        : throw new UserError($"'{name}' cannot be the name of a channel.", "Use lower-case letters, digits and hyphens, up to 40; not root, targets, snapshot or timestamp.");
}
