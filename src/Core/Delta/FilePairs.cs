using System.Text.RegularExpressions;

namespace Appliance.Core.Delta;

/// <summary>Finds the old version of a new file: the same path, or one that differs only in version numbers, or at least the same name.</summary>
internal sealed partial class FilePairs
{
    private readonly Dictionary<string, ErofsFile> _byPath = new(StringComparer.Ordinal);
    private readonly ILookup<string, ErofsFile> _byPlainPath;
    private readonly ILookup<string, ErofsFile> _byPlainName;

    /// <summary>Indexes the old files.</summary>
    public FilePairs(IReadOnlyList<ErofsFile> old)
    {
        foreach (var file in old) _byPath[file.Path] = file;
        _byPlainPath = old.ToLookup(file => Plain(file.Path), StringComparer.Ordinal);
        _byPlainName = old.ToLookup(file => Plain(Name(file.Path)), StringComparer.Ordinal);
    }

    /// <summary>The best counterpart, or null.</summary>
    public ErofsFile? For(ErofsFile file)
    {
        if (_byPath.TryGetValue(file.Path, out var same)) return same;
        var candidates = _byPlainPath[Plain(file.Path)];
        if (!candidates.Any()) candidates = _byPlainName[Plain(Name(file.Path))];
        // Of several, the one nearest in size.
        return candidates.OrderBy(candidate => Math.Abs(candidate.Length - file.Length)).Cast<ErofsFile?>().FirstOrDefault();
    }

    private static string Name(string path) => path[(path.LastIndexOf('/') + 1)..];

    /// <summary>Runs of digits and the dots between them stand for one another: libssl.so.3.0.1 and libssl.so.3.0.2.</summary>
    private static string Plain(string path) => Numbers().Replace(path, "#");

    [GeneratedRegex(@"[0-9]+([.+~][0-9]+)*")]
    private static partial Regex Numbers();
}
