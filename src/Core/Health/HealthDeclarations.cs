namespace Appliance.Core.Health;

/// <summary>
/// A device's health declarations: the image's files, and the local ones beside them. A local file replaces an image file of
/// its name, as with systemd's drop-in folders; under another name it can add checks and nothing else.
/// </summary>
/// <param name="Settings">What the files that can be used say.</param>
/// <param name="Problems">One sentence for each file that cannot, with place and remedy.</param>
public sealed record HealthDeclarations(HealthSettings Settings, IReadOnlyList<HealthProblem> Problems)
{
    /// <summary>Folder of the image's files.</summary>
    public const string ImageFolder = "/usr/lib/appliance/health.d";

    /// <summary>Folder of the local files.</summary>
    public const string LocalFolder = "/etc/appliance/health.d";

    /// <summary>Reads every <c>*.yaml</c> of both folders; a folder that is not there holds none.</summary>
    public static HealthDeclarations Read(string imageFolder = ImageFolder, string localFolder = LocalFolder)
    {
        var merge = new Merge();
        var local = merge.List(localFolder);
        var replaced = local.Select(Path.GetFileName).ToHashSet();
        // The image's own first: when two files quarrel about a name, the local one is at fault.
        foreach (var path in merge.List(imageFolder).Where(path => !replaced.Contains(Path.GetFileName(path)))) merge.Take(path);
        foreach (var path in local.Where(path => !IsMask(path))) merge.Take(path);
        return merge.Result();
    }

    /// <summary>A link to /dev/null takes an image file away and puts nothing in its place.</summary>
    private static bool IsMask(string path) => new FileInfo(path).LinkTarget == "/dev/null";

    private sealed class Merge
    {
        /// <summary>Keys that only one of the files may have.</summary>
        private static readonly string[] SetOnce = ["timeout", "stabilisation"];

        private readonly List<HealthProblem> _problems = [];
        private readonly List<HealthCheck> _checks = [];
        private readonly Dictionary<string, string> _owners = [];
        private TimeSpan? _timeout, _stabilisation;

        public List<string> List(string folder)
        {
            try
            {
                return Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*.yaml").Order(StringComparer.Ordinal).ToList() : [];
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _problems.Add(new HealthProblem(folder, $"{folder} cannot be read: {e.Message}"));
                return [];
            }
        }

        /// <summary>Takes a file as a whole or not at all.</summary>
        public void Take(string path)
        {
            try
            {
                var declaration = (HealthDeclaration)HealthShapes.Declaration.Load(path);
                foreach (var key in SetOnce.Where(declaration.Bag.Has))
                    if (_owners.TryGetValue(Key(key), out var owner)) throw declaration.Bag.Error(key, $"{owner} says it already; change it there, or replace that file by one of the same name in {LocalFolder}");
                for (var i = 0; i < declaration.Checks.Count; i++)
                    if (_owners.TryGetValue(declaration.Checks[i].Name, out var owner)) throw declaration.Bag.ErrorAt("checks", i, $"a check is called {declaration.Checks[i].Name} already, in {owner}; give this one another name");
                Own(declaration, path);
            }
            catch (UserError error)
            {
                _problems.Add(new HealthProblem(path, error.Hint is null ? error.Message : $"{error.Message} {error.Hint}"));
            }
        }

        public HealthDeclarations Result() => new(
            new HealthSettings { Timeout = _timeout ?? HealthDeclaration.Default.Timeout, Stabilisation = _stabilisation ?? HealthDeclaration.Default.Stabilisation, Checks = _checks }, _problems);

        private void Own(HealthDeclaration declaration, string path)
        {
            foreach (var key in SetOnce.Where(declaration.Bag.Has)) _owners[Key(key)] = path;
            foreach (var check in declaration.Checks) _owners[check.Name] = path;
            _timeout ??= declaration.Timeout;
            _stabilisation ??= declaration.Stabilisation;
            _checks.AddRange(declaration.Checks);
        }

        /// <summary>Settings beside the names of checks, which hold no colon.</summary>
        private static string Key(string name) => $":{name}";
    }
}
