using System.Text.RegularExpressions;

namespace Appliance.Core.Workloads;

/// <summary>
/// The name of a container image, in full: <c>docker.io/library/nginx:1.27</c>. Short names are completed as every container
/// engine does it (the grammar and the rules of github.com/distribution/reference).
/// </summary>
/// <param name="Repository">Registry and path: <c>docker.io/library/nginx</c>.</param>
/// <param name="Tag">Tag, or null.</param>
/// <param name="Digest">Digest of the image's manifest, <c>sha256:</c> and 64 hex digits, or null.</param>
public sealed partial record ImageReference(string Repository, string? Tag, string? Digest)
{
    private const int LongestName = 255, LongestTag = 128, PinLength = 12;
    private const string DefaultRegistry = "docker.io", DefaultFolder = "library/", DefaultTag = "latest";

    /// <summary>Reads a reference and completes it.</summary>
    /// <returns>Null when the text is none.</returns>
    public static ImageReference? TryParse(string? text)
    {
        if (text is not { Length: > 0 and <= 512 } || Grammar().Match(text) is not { Success: true } match) return null;
        var (tag, digest) = (Value(match, "tag"), Value(match, "digest"));
        var (registry, path) = Split(match.Groups["name"].Value);
        if (!Path().IsMatch(path) || !Registry().IsMatch(registry)) return null;
        var repository = $"{registry}/{(registry == DefaultRegistry && !path.Contains('/') ? DefaultFolder : "")}{path}";
        return repository.Length > LongestName ? null : new ImageReference(repository, tag ?? (digest is null ? DefaultTag : null), digest);
    }

    /// <summary>
    /// The name under which a device keeps the image with this manifest. It names the content, so that a release never gets the
    /// image of another one that has the same tag.
    /// </summary>
    /// <param name="manifestDigest"><c>sha256:</c> and 64 hex digits.</param>
    public ImageReference Pin(string manifestDigest)
    {
        var suffix = "-" + OciDigest.HexOf(manifestDigest)[..PinLength];
        var tag = Tag ?? "digest";
        return new ImageReference(Repository, string.Concat(tag.AsSpan(0, Math.Min(tag.Length, LongestTag - suffix.Length)), suffix), null);
    }

    /// <summary>The reference in full.</summary>
    public override string ToString() => $"{Repository}{(Tag is null ? "" : ":" + Tag)}{(Digest is null ? "" : "@" + Digest)}";

    private static (string Registry, string Path) Split(string name)
    {
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        var first = slash < 0 ? "" : name[..slash];
        var isRegistry = first == "localhost" || first.AsSpan().IndexOfAny('.', ':') >= 0 || first.Any(char.IsAsciiLetterUpper);
        if (!isRegistry) return (DefaultRegistry, name);
        return (first == "index.docker.io" ? DefaultRegistry : first, name[(slash + 1)..]);
    }

    private static string? Value(Match match, string group) => match.Groups[group] is { Success: true, Value: var value } ? value : null;

    [GeneratedRegex(@"^(?<name>[A-Za-z0-9][A-Za-z0-9._:/-]*?)(:(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(@(?<digest>sha256:[0-9a-f]{64}))?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Grammar();

    [GeneratedRegex(@"^[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex Path();

    [GeneratedRegex(@"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Registry();
}
