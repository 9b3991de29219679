using System.Security.Cryptography;
using System.Text;

namespace Appliance.Core.Tuf;

/// <summary>A role that a targets role delegates some paths to (4.5).</summary>
public sealed record DelegatedRole
{
    /// <summary>The role's name; its metadata file is <c>NAME.json</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Its keys and threshold.</summary>
    public required TufRole Role { get; init; }

    /// <summary>True when no later delegation is asked about a path that this one covers.</summary>
    public required bool Terminating { get; init; }

    /// <summary>Patterns of the paths it may vouch for, when it is not <see cref="PathHashPrefixes"/>.</summary>
    public IReadOnlyList<string>? Paths { get; init; }

    /// <summary>Beginnings of the SHA-256 of the paths it may vouch for.</summary>
    public IReadOnlyList<string>? PathHashPrefixes { get; init; }

    /// <summary>The role's metadata file as snapshots name it.</summary>
    public string FileName => $"{Name}.json";

    /// <summary>True when the role may vouch for <paramref name="path"/>.</summary>
    public bool Covers(string path)
    {
        if (Paths is not null) return Paths.Any(pattern => PathPattern.Matches(pattern, path));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)));
        return PathHashPrefixes!.Any(prefix => hash.StartsWith(prefix, StringComparison.Ordinal));
    }

    internal static DelegatedRole Parse(MetadataFields fields)
    {
        var name = fields.Text("name");
        // A role of such a name would be stored over the top-level one's file.
        if (name.Length is 0 or > 100 || Uri.EscapeDataString(name).Length > 200 || TufRole.TopLevel.Contains(name)) throw fields.MemberError("name", "is empty, too long, or that of a top-level role");
        if (fields.Has("paths") == fields.Has("path_hash_prefixes")) throw fields.Error($"the delegation to {name} must have either paths or path_hash_prefixes");
        return new DelegatedRole
        {
            Name = name,
            Role = TufRole.Parse(fields),
            Terminating = fields.Flag("terminating", missing: false),
            Paths = fields.Has("paths") ? fields.Texts("paths") : null,
            PathHashPrefixes = fields.Has("path_hash_prefixes") ? fields.Texts("path_hash_prefixes") : null,
        };
    }
}
