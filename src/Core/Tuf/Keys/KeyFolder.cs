namespace Appliance.Core.Tuf.Keys;

/// <summary>
/// A publisher's keys: a folder (mode 0700) with one file a key, named <c>ROLE-KEYID8.pem</c>, and <c>root.json</c>, the newest
/// root metadata, which images bake in and which says whom to trust. Keys that were rotated out go to <c>retired/</c>.
/// </summary>
public sealed class KeyFolder : ISignerSource
{

    private readonly Func<string> _passphrase;
    private List<KeyFile> _keys = [];

    private KeyFolder(string path, Func<string> passphrase)
    {
        (Path, _passphrase) = (path, passphrase);
        _keys = ReadKeys();
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>The root metadata's file.</summary>
    public string RootPath => System.IO.Path.Combine(Path, "root.json");

    /// <summary>All keys but the retired, by role and id.</summary>
    public IReadOnlyList<KeyFile> Keys => _keys;

    /// <summary>Makes a folder; it appears under its name when <paramref name="fill"/> has put everything in.</summary>
    /// <exception cref="UserError">There is something in it already.</exception>
    public static KeyFolder Create(string path, Func<string> passphrase, Action<KeyFolder> fill)
    {
        path = System.IO.Path.TrimEndingDirectorySeparator(path);
        if (File.Exists(path) || Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new UserError($"{path} is not empty.", "Keys are never overwritten: name another folder, or move this one away.");
        var partial = path + ".partial";
        if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true); // nobody has used what an interrupted run made
        MakePrivate(partial);
        fill(new KeyFolder(partial, passphrase));
        if (Directory.Exists(path)) Directory.Delete(path);
        Directory.Move(partial, path);
        DurableFile.SyncFolder(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
        return new KeyFolder(path, passphrase);
    }

    /// <summary>Opens a folder; the passphrase is asked for when a key first signs.</summary>
    /// <exception cref="UserError">There is no such folder, or a key in it is damaged.</exception>
    public static KeyFolder Open(string path, Func<string> passphrase) =>
        File.Exists(System.IO.Path.Combine(path, "root.json"))
            ? new KeyFolder(path, passphrase)
            : throw new UserError($"{path} is not a folder of keys: it has no root.json.", $"Make one: appliance keys init --dir {path}");

    /// <inheritdoc/>
    public IReadOnlyList<ITufSigner> SignersFor(string role) => [.. _keys.Where(key => key.Role == role)];

    /// <summary>The root metadata in the folder.</summary>
    /// <exception cref="UserError">It is missing or too large.</exception>
    public byte[] ReadRoot()
    {
        var file = new FileInfo(RootPath);
        if (!file.Exists || file.Length > TufLimits.Root) throw new UserError($"{RootPath} is missing or too large.", "Restore it from a backup, or copy the newest N.root.json of the repository there.");
        return File.ReadAllBytes(RootPath);
    }

    /// <summary>Replaces the root metadata.</summary>
    public void WriteRoot(ReadOnlySpan<byte> root) => DurableFile.Write(RootPath, root, DurableFile.Readable);

    /// <summary>Makes a key.</summary>
    /// <param name="role">The role or channel it is for.</param>
    /// <param name="pending">True for a rotation that is under way.</param>
    public KeyFile Add(string role, bool pending = false)
    {
        var key = KeyFile.Create(Path, role, pending, _passphrase);
        _keys = ReadKeys();
        return key;
    }

    /// <summary>Ends a rotation: of the role's keys, those in <paramref name="listed"/> become active and the others retire.</summary>
    /// <returns>The keys that retired.</returns>
    public IReadOnlyList<KeyFile> Settle(string role, IReadOnlyCollection<string> listed)
    {
        var retired = new List<KeyFile>();
        foreach (var key in _keys.Where(key => key.Role == role))
        {
            if (!listed.Contains(key.Key.Id)) retired.Add(Retire(key));
            else if (key.IsPending) File.Move(key.Path, key.ActivePath);
        }
        DurableFile.SyncFolder(Path);
        _keys = ReadKeys();
        return retired;
    }

    /// <summary>Requires the passphrase to be that of the keys that are there, before a new key is encrypted with it.</summary>
    /// <exception cref="UserError">It is another one.</exception>
    public void CheckPassphrase() => _keys.FirstOrDefault(key => !key.IsPending)?.Sign([]);

    private KeyFile Retire(KeyFile key)
    {
        var folder = System.IO.Path.Combine(Path, "retired");
        MakePrivate(folder);
        File.Move(key.Path, System.IO.Path.Combine(folder, System.IO.Path.GetFileName(key.ActivePath)));
        return key;
    }

    private static void MakePrivate(string folder)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else
        {
            Directory.CreateDirectory(folder, FolderMode.Private);
            File.SetUnixFileMode(folder, FolderMode.Private);
        }
    }

    /// <summary>The key files that are there now; those known already stay as they are, decrypted if they were.</summary>
    private List<KeyFile> ReadKeys()
    {
        var known = _keys.ToDictionary(key => key.Path);
        return [.. Directory.EnumerateFiles(Path).Select(file => known.GetValueOrDefault(file) ?? KeyFile.TryOpen(file, _passphrase)).OfType<KeyFile>().OrderBy(key => key.Role, StringComparer.Ordinal).ThenBy(key => key.Key.Id, StringComparer.Ordinal)];
    }
}
